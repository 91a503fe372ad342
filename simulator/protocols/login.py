"""What becomes of the assertion that an identity provider's pages end with, before anything is posted anywhere.

It wraps exchanges of whoever asks for those pages, and knows neither pages nor passwords.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from simulator.protocols.forms import SamlPost
from simulator.protocols.messages import Exchange, Response
from simulator.protocols.saml import BadAssertion

STEPS = ("identity.login_page", "identity.login", "identity.asset")
"""What the identity provider answers; Google's accounts answer the other steps of the service."""

T = TypeVar("T")
Accept = Callable[[SamlPost], None]
"""Judges the provider's last page; raises Broken or Refused for a bad one."""


def service_of_step(step: str) -> str:
    """The service whose target answers a step; "" where Google's accounts do, which only ever stand in."""
    service = step.partition(".")[0]
    return "" if service == "identity" and step not in STEPS else service


def accepting(exchange: Exchange[T], accept: Accept) -> Exchange[T]:
    """The exchange, whose answer `accept` looks at if it is the SAML post: what it raises is how the exchange ends."""

    def read(response: Response) -> T:
        page = exchange.read(response)
        if isinstance(page, SamlPost):
            accept(page)
        return page

    return replace(exchange, read=read)


def expect_post_to(acs_url: str) -> Accept:
    """An Accept for a post that goes to that consumer service: an assertion is carried to no one else."""

    def accept(post: SamlPost) -> None:
        if post.action != acs_url:
            raise BadAssertion("destination", f"the form goes to {post.action.partition('?')[0]}, not to {acs_url}")

    return accept
