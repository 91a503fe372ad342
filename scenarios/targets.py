"""Which systems a run may load: the targets file and --target, parsed into one frozen value with every fault in one go.

Whether an address may be connected to is not decided here, but at every connect, after its name was resolved.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from scenarios.base import Frozen, Many, Positive, PositiveShare, Text
from scenarios.faults import Loc, ScenarioFaults, explain, fault
from scenarios.load import COMMAND_LINE, read_toml

SERVICES = ("management", "identity", "updates", "push")
ENROLLS_WITH = ("oauth_token_file", "oauth_token_env", "enrollment_token_file", "enrollment_token_env")


def _url(*schemes: str, query: bool = False) -> AfterValidator:
    """A validator: the address of a service, as the wire can use it; `query`: it may have one."""

    def check(url: str) -> str:
        try:
            parts = urlsplit(url)
            well_formed = parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:
            well_formed = False
        if not well_formed or parts.scheme not in schemes or (parts.query and not query) or parts.fragment:
            example = f"{schemes[-1]}://host[:port]"
            raise PydanticCustomError("url", "an address such as {example}", {"example": example})
        if parts.username is not None or parts.password is not None:
            raise PydanticCustomError("secret", "an address without a user or password in it")
        return url

    return AfterValidator(check)


def _there(name: str | None, info: ValidationInfo) -> str | None:
    """A validator: the path of a file that exists, taken relative to the targets file, made absolute."""
    path = (info.context or {}).get("folder", Path()) / name if name else None
    if path and not path.is_file():
        raise PydanticCustomError("file", "a file that exists")
    return str(path.resolve()) if path else None


def _document(name: str | None, info: ValidationInfo) -> str | None:
    """A validator: an address, or the path of a file as of _there."""
    return name if name and name.startswith(("http://", "https://")) else _there(name, info)


def _addresses(told: tuple[str, ...]) -> tuple[str, ...]:
    """A validator: IP addresses."""
    try:
        return tuple(str(ip_address(one)) for one in told)
    except ValueError:
        raise PydanticCustomError(
            "addresses", 'IP addresses of this machine, such as ["10.0.0.5", "10.0.0.6"]'
        ) from None


class AbortWhen(Frozen):
    """When a run stops early to spare a target: a step of it ends other than ok this often, over this long."""

    error_share: PositiveShare = 0.5
    over_s: Positive = 30


class _Target(Frozen):
    ca_file: Text | None = None
    """PEM file of the city's own certificate authority, relative to the targets file."""
    verify_tls: bool = True
    staging: bool = False
    """Whether this is a copy that may be loaded until it gives in."""
    abort_when: AbortWhen | None = None
    """When to spare it; left out, a staging copy is never spared and anything else by AbortWhen's own figures."""

    @property
    def aborts(self) -> AbortWhen | None:
        """When the run stops early for its sake; None for never."""
        return self.abort_when or (None if self.staging else AbortWhen())

    _ca = field_validator("ca_file")(_there)

    @field_validator("verify_tls")
    @classmethod
    def _either(cls, verify: bool, info: ValidationInfo) -> bool:
        if not verify and info.data.get("ca_file"):
            raise PydanticCustomError("either", "true beside a ca_file")
        return verify


class Target(_Target):
    """The address of one service under test, spoken to over HTTP."""

    url: Annotated[str, _url("http", "https")]


class ManagementTarget(Target):
    """The address of a management server, and with what devices enroll there. No secret stands in the file itself."""

    url: Annotated[str, _url("http", "https")]
    """With a path it is meant as it is; behind one without, the usual /devicemanagement/data/api is put."""
    oauth_token_file: Text | None = None
    """File with an access token of an account that may enroll, relative to the targets file."""
    oauth_token_env: Text | None = None
    """Environment variable with the same."""
    enrollment_token_file: Text | None = None
    """File with an enrollment token, relative to the targets file."""
    enrollment_token_env: Text | None = None
    """Environment variable with the same."""
    verification_key_file: Text | None = None
    """PEM or DER file of the public key that vouches for the server's policy keys; without one that is not checked."""
    accepts_stand_in_tokens: bool = False
    """Whether it takes the access tokens that people get at the stand-in's sign-in."""

    _files = field_validator("oauth_token_file", "enrollment_token_file", "verification_key_file")(_there)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = {key: getattr(self, key) for key in ENROLLS_WITH}
        if sum(way is not None for way in ways.values()) > 1:
            raise PydanticCustomError("one", "at most one of {keys}", {"keys": ", ".join(ways)})
        return self


class ServiceProvider(Frozen):
    """The city's own SAML service provider, as its identity provider knows it; its part is played by the devices."""

    entity_id: Text
    """What it is called at the identity provider."""
    acs_url: Annotated[str, _url("http", "https", query=True)]
    """Where it has assertions posted. No one ever asks this address."""
    binding: Literal["redirect", "post"] = "redirect"
    """How it sends its requests."""
    name_id_format: str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
    """What it wants users to be called by; "" leaves that to the identity provider."""
    relay_state: str = ""
    """What it sends along."""
    key_file: Text | None = None
    """PEM file of the RSA key that signs its requests, relative to the targets file."""

    _files = field_validator("key_file")(_there)


class IdentityTarget(Target):
    """The city's identity provider."""

    metadata: Text | None = None
    """Its SAML metadata: an address, or a file relative to the targets file. The url itself when left out."""
    service_provider: ServiceProvider | None = None
    """Whom it signs people in to; fleetrush's own service provider when left out, which then has to be registered."""
    page_assets: bool = True
    """Whether what its login pages link to, of the same origin, is fetched too, as by a browser with a fresh cache."""

    _documents = field_validator("metadata")(_document)


class PushTarget(_Target):
    """The address of the push service, an MQTT broker."""

    url: Annotated[str, _url("mqtt", "mqtts")]
    source_addresses: Many[Text] = ()
    """Addresses of this machine that lines come from in turn: one has ports for some 28,000 lines to one broker."""

    _sources = field_validator("source_addresses")(_addresses)


class Services(Frozen):
    """The services that the user named; the others are the stand-in's."""

    management: ManagementTarget | None = None
    identity: IdentityTarget | None = None
    updates: Target | None = None
    push: PushTarget | None = None


class Authorisation(Frozen):
    """Who allowed that these hosts are loaded, when, and how hard. Loopback needs none."""

    hosts: Annotated[Many[Text], Field(min_length=1)]
    owner: Text
    approved_by: Text
    from_: AwareDatetime = Field(alias="from")
    until: AwareDatetime
    max_rate_per_s: Positive
    """Requests a second, all engines together."""

    @field_validator("until")
    @classmethod
    def _after_from(cls, until: AwareDatetime, info: ValidationInfo) -> AwareDatetime:
        if (first := info.data.get("from_")) and until <= first:
            raise PydanticCustomError("order", "a date and time after from")
        return until


class Targets(Frozen):
    """What the user named, and the leave to load it."""

    targets: Services = Services()
    authorisation: Authorisation | None = None

    def named(self) -> dict[str, Target | PushTarget]:
        """The named targets by service."""
        found = {service: getattr(self.targets, service) for service in SERVICES}
        return {service: target for service, target in found.items() if target is not None}

    @property
    def urls(self) -> dict[str, str]:
        """By service, the addresses as they were named."""
        return {service: target.url for service, target in self.named().items()}

    @property
    def bases(self) -> dict[str, str]:
        """By service, the addresses without a trailing slash, to put paths behind."""
        return {service: url.rstrip("/") for service, url in self.urls.items()}


def read_targets(path: Path | None, named: Sequence[str] = ()) -> Targets:
    """What a targets file says, and what --target says instead.

    Args:
        path: a TOML file with [targets.SERVICE] tables and an [authorisation]; None for none.
        named: "NAME=URL" each, from the command line.

    Raises: ScenarioFaults with one line for each fault.
    """
    faults: list[str] = []
    tables: dict[str, Any] = read_toml(path) if path is not None else {}
    said: set[str] = set()
    for text in named:
        service, _, url = text.partition("=")
        if service not in SERVICES or not url:
            known = f"NAME=URL, with NAME one of {', '.join(SERVICES)}"
            faults.append(fault(COMMAND_LINE, "--target", service if url else text, known, SERVICES if url else ()))
            continue
        said.add(service)
        # a target named anew keeps nothing of the file's settings: they were another system's
        services = tables.get("targets", {})
        tables = tables | {"targets": (services if isinstance(services, dict) else {}) | {service: {"url": url}}}

    def place(loc: Loc) -> tuple[str, Loc]:
        if loc[0] == "targets" and len(loc) > 1 and loc[1] in said:
            return COMMAND_LINE, (f"--target {loc[1]}",)
        return path.name if path else COMMAND_LINE, loc

    try:
        targets = Targets.model_validate(tables, context={"folder": path.parent if path else Path()})
    except ValidationError as error:
        faults += explain(error, Targets, place)
    if faults:
        raise ScenarioFaults(faults)
    return targets
