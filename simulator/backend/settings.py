"""What the embedded backend is told when it starts: public addresses, domain, costs; and where chance comes from.

Plain values only: no file, no environment and no clock is read here.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from simulator.backend.imported_keys import ImportedKey

# n random bytes: os.urandom in the shell, a seeded source in a rehearsal.
Chance = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSettings:
    """What all services of the backend need to know.

    Attributes:
        management_url, identity_url, idp_url, updates_url, push_url: public base URLs without a slash at the end;
            the last one is mqtt://host:port.
        password_secret: what the users' passwords are derived from; the fleet is told the same.
        domain: the enrolment domain; users are name@domain.
        password_cost: iterations of PBKDF2-HMAC-SHA256 per login (2,500 cost about 1 ms).
        lock_after: wrong passwords in a row that lock an account for a while.
        token_life_s: how long access tokens live, as they say.
        compression: how many of those seconds pass in a second.
        policy_keys: those to sign with, in their order; empty: made here, and vouched for by a key that is made here.
        robot_accounts: whether devices and browsers get robot accounts; without one a client does without.
        update_share: share of the devices that are offered the newest release, 0 to 1.
        licenses: for how many devices; negative: any number. packaged_licenses: whether machines bring their own.
        serial_prefix: of the city's machines. approval: whether a machine's first enrollment waits for somebody.
        zero_touch: whether the city's machines enroll by attestation, without a person.
        hash_modulus: into how many buckets known machines are sorted; 0: as many as are asked for.
        idp_metadata: the city's own identity provider's metadata, in the place of the stand-in's provider; empty: none.
        takes_word: whether an address is signed in at its word, because devices verify their assertions themselves.
        payload_dir: where update payloads are kept as files; empty: in memory, for a rehearsal.
    """

    management_url: str
    identity_url: str
    idp_url: str
    updates_url: str
    push_url: str
    password_secret: bytes
    domain: str = "city.example"
    password_cost: int = 2500
    lock_after: int = 30
    token_life_s: int = 3600
    compression: float = 1.0
    robot_accounts: bool = False
    policy_keys: tuple[ImportedKey, ...] = ()
    update_share: float = 0.1
    licenses: int = -1
    packaged_licenses: bool = False
    serial_prefix: str = ""
    approval: bool = False
    zero_touch: bool = False
    hash_modulus: int = 0
    idp_metadata: str = ""
    takes_word: bool = False
    payload_dir: str = ""


# How a setting is said in JSON, by the type that it has here; one of another type is not said but handed in.
_SAID: dict[str, tuple[type | tuple[type, ...], Callable[[Any], object]]] = {
    "str": (str, str),
    "bytes": (str, lambda said: b64decode(said, validate=True)),
    "int": (int, int),
    "float": ((int, float), float),
    "bool": (bool, bool),
}


def read_settings(value: Mapping[str, object]) -> BackendSettings:
    """Settings from JSON; bytes are said as base64.

    Raises: ValueError, one line: which setting is missing, unknown or of another type.
    """
    known = {field.name: field for field in fields(BackendSettings) if field.type in _SAID}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ValueError(f"no setting is called {', '.join(unknown)}; there are {', '.join(known)}")
    missing = [name for name, field in known.items() if field.default is MISSING and name not in value]
    if missing:
        raise ValueError(f"{', '.join(missing)} must be said")
    taken: dict[str, Any] = {}
    for name, said in value.items():
        kind = str(known[name].type)
        types, take = _SAID[kind]
        if not isinstance(said, types) or (isinstance(said, bool) and kind != "bool"):
            raise ValueError(f"{name} is {said!r}; expected {kind}")
        try:
            taken[name] = take(said)
        except ValueError as fault:
            raise ValueError(f"{name}: {fault}") from None
    return BackendSettings(**taken)
