"""A device is enrolled: state determination, registration, its first policy, its robot account (policy facts 3 a)."""

from __future__ import annotations

from dataclasses import replace

from simulator.journeys import policies
from simulator.protocols import management
from simulator.protocols.management import Machine, PolicyReason, Trust
from simulator.protocols.messages import Refused
from simulator.traveller import Stopped, Traveller

STEPS = (
    "management.state_retrieval",
    "management.register",
    "management.device_policy",
    "management.api_authorization",
)
MAYBE = ("management.validation_report",)


async def play(traveller: Traveller) -> None:
    """From a wiped machine to a managed one. Stops where the server has disabled the machine."""
    device, plan, facts = traveller.device, traveller.plan, traveller.facts
    machine = Machine(
        serial=facts.serial,
        hwid=facts.hwid,
        brand_code=facts.brand_code,
        state_key=facts.state_key,
        ethernet_mac=facts.ethernet_mac,
        manufacture_date=facts.manufacture_date,
    )
    passer_by = policies.client_of(traveller, traveller.uuid("state determination"))
    state = await traveller.ask(management.state_retrieval(passer_by, machine))
    if state.disabled:
        raise Stopped("management.state_retrieval", Refused("not_entitled", "the server has this device disabled"))
    who = policies.client_of(traveller, traveller.uuid("device client"))
    given = await traveller.ask(
        management.register_device(who, machine, oauth_token=plan.enrollment.oauth_token, flavor=state.flavor)
    )
    device.identity = replace(who, dm_token=given.dm_token)
    device.trust = Trust(given.dm_token, who.device_id, verification_key=plan.verification_key)
    try:
        await policies.fetch_device(
            traveller, PolicyReason.DEVICE_ENROLLMENT, state_keys=(facts.state_key,), critical=True
        )
        await traveller.ask(management.api_authorization(device.identity))
    except Stopped:
        # half enrolled is not enrolled: a real device starts its setup again
        device.identity = device.trust = None
        raise
