"""The city's identity provider as it tells of itself: its metadata, read or fetched once before any load.

It composes the wire and the targets; nothing of it runs while a run plays.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import uvloop

from scenarios.targets import IdentityTarget, Targets
from simulator.engine import Sockets
from simulator.errors import Unreachable, UserError
from simulator.protocols.forms import page_request
from simulator.protocols.messages import Refused, Skipped, Trouble, settle
from simulator.protocols.saml_metadata import Provider, provider_metadata, read_provider
from simulator.protocols.service_provider import read_key

FETCH_TIMEOUT_S = 30.0
_WANTED = "expected the SAML metadata of the identity provider, as [targets.identity] metadata = FILE or URL"


@dataclass(frozen=True, slots=True)
class NamedProvider:
    """A named identity provider: what is needed of its metadata, and the PEM of the key that signs requests ("" for
    none). `is_asked_by_devices` says that they play the city's own service provider.
    """

    metadata: str
    sp_key: str
    is_asked_by_devices: bool


def named_provider(targets: Targets) -> NamedProvider | None:
    """What has to be known of the named identity provider; None where the stand-in's is asked.

    Raises:
        UserError: the guard says no, that is no metadata, or it does not go with the service provider.
        Unreachable: nobody answers where the metadata should be.
    """
    target = targets.targets.identity
    if target is None:
        return None
    place = target.metadata or target.url
    is_file = target.metadata is not None and not place.startswith(("http://", "https://"))
    try:
        document = Path(place).read_bytes() if is_file else uvloop.run(_fetch(targets, place))
        provider = read_provider(document)
    except (OSError, ValueError) as fault:
        raise UserError(f"targets.identity: {place}: {fault}; {_WANTED}") from None
    metadata, key = provider_metadata(provider).decode(), _key_that_fits(target, provider)
    return NamedProvider(metadata, key, target.service_provider is not None)


def _key_that_fits(target: IdentityTarget, provider: Provider) -> str:
    """The service provider's key, once it is sure that the provider takes what would be sent."""
    service = target.service_provider
    binding = "redirect" if service is None else service.binding
    if binding not in provider.sso_urls:
        offered = " and ".join(provider.sso_urls)
        if service is None:
            raise UserError(
                f"targets.identity: {provider.entity_id} takes requests by {offered}; Google asks by redirect"
            )
        raise UserError(
            f"targets.identity.service_provider.binding = {binding!r}: {provider.entity_id} takes requests by {offered}"
        )
    if service is None or service.key_file is None:
        return ""
    try:
        pem = Path(service.key_file).read_text()
        read_key(pem)
    except (OSError, ValueError) as fault:
        raise UserError(f"targets.identity.service_provider.key_file = {service.key_file!r}: {fault}") from None
    return pem


async def _fetch(targets: Targets, url: str) -> bytes:
    """A document through the guard. Raises: UserError, Unreachable."""
    sockets = Sockets(targets, provider_urls=(url,))
    try:
        answer = await sockets.wire(None).send(page_request(url), timeout_s=FETCH_TIMEOUT_S)
        return settle(answer).body
    except (Skipped, Refused) as trouble:
        raise UserError(f"targets.identity: {url}: {trouble.detail}; {_WANTED}") from None
    except Trouble as trouble:
        raise Unreachable(
            f"the identity provider cannot be reached: {url}: {trouble}; is it up, and open to this machine?"
            f" `curl {url}` from here must show its metadata"
        ) from None
    finally:
        await sockets.close()
