"""The server has forgotten the signed-in user (410): the same registration is made once more (policy facts 3 c).

Where that fails it is the next sign-in's business.
"""

from __future__ import annotations

from simulator.journeys import policies
from simulator.protocols import oauth
from simulator.traveller import Traveller

STEPS = ("identity.access_token", "management.register_user", "management.user_policy")
MAYBE = policies.MAYBE


async def play(traveller: Traveller) -> None:
    """A token for the user, the registration under the same id, and policy at once."""
    device = traveller.device
    if not device.in_session:
        return
    access = await traveller.ask(oauth.management_token(traveller.plan.identity_url, device.refresh_token))
    await policies.register_user_again(traveller, access.token)
