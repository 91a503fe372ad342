"""What a traveller knows of its person."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scenarios.load import load
from simulator.agenda import Start
from simulator.composition import KNOWN
from simulator.device import Device
from simulator.memory import VirtualLoop
from simulator.protocols.account import Account
from simulator.rehearsal import Stage
from simulator.traveller import Traveller

HERE = Path(__file__).parents[1]
WIRE: Any = object()


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("test01", "test01@city.example"),
        ("Test.01@City.Example", "test.01@city.example"),
        ("test01@other.example", None),
        ("CITY\\test01", None),
        ("試験", None),
        ("@city.example", None),
    ],
)
def test_the_address_of_whatever_is_typed(typed: str, address: str | None) -> None:
    """It is one of the enrolment domain, which the stand-in for Google's accounts wants: the account's, or else the
    fleet's own (None)."""

    async def told() -> tuple[str, str]:
        stage = Stage(load(str(HERE / "data" / "scenarios" / "small.toml"), known=KNOWN))
        world = stage.player.world
        world.plan = replace(world.plan, account=lambda facts: Account(typed, "its password"))
        traveller = Traveller(world, Device(3, WIRE), Start(0, 3, "sign_in", "planned"), 0)
        return traveller.address, traveller.facts.user

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        said, own = runner.run(told())
    assert own.endswith("@city.example")
    assert said == (own if address is None else address)
