"""Acts that could not be carried out are told before anything is sent, each in one line, with its place in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.backend.management_mistakes import MISTAKES
from simulator.composition import What, compose
from simulator.errors import UserError

SMALL = (Path(__file__).parent.parent / "data/scenarios/small.toml").read_text()


def composed(folder: Path, *acts: str) -> tuple[str, ...]:
    """What is said against a scenario with these acts, each "name { settings }"."""
    text = SMALL
    for act in acts:
        name, settings = act.split(" ", 1)
        text += f'\n[[operator]]\nat = "08:00"\nact = "{name}"\nwith = {settings}\n'
    (folder / "acts.toml").write_text(text)
    try:
        compose(What(str(folder / "acts.toml")))
    except UserError as error:
        return tuple(error.lines)
    return ()


def test_each_wrong_act_is_told_with_its_place(tmp_path: Path) -> None:
    """All in one go; those that are right are not told."""
    before = SMALL.count("[[operator]]")
    lines = composed(
        tmp_path,
        'inject_fault { where = "management", kind = "wrong_policy", mistake = "bad_signatures" }',
        'inject_fault { where = "management", kind = "error", status = 901 }',
        'publish_policy { policy = "user", value = { HomepageLocatio = "x" } }',
        'publish_policy { policy = "user" }',
        'publish_extension_policy { policy = "users", extension_id = "x", value = {} }',
        'publish_extension_policy { policy = "user", extension_id = "abcdefgh", value = {} }',
        f'publish_extension_policy {{ policy = "user", extension_id = "{"a" * 32}", value = {{ Colour = "blue" }} }}',
        'queue_command { type = "REBOOT" }',
        'delete_device { error_detail = "token" }',
        "set_enrollment { licences = 5 }",
        "set_enrollment { licenses = true }",
        "rotate_key {}",
        "set_enrollment { licenses = 5, approval = false }",
        'queue_command { type = "DEVICE_REBOOT" }',
        "delete_device {}",
    )
    starts = [
        "mistake is 'bad_signatures'; expected one of",
        "status is 901; expected an HTTP status from 400 to 599, or 902 to 907",
        "no policy HomepageLocatio; did you mean 'HomepageLocation'?",
        "value: expected a table of policies",
        "policy 'users': expected one of user, signin, browser",
        "extension_id is 'abcdefgh'; expected 32 letters from a to p",
        'value.Colour: expected {"Value": ...',
        "command 'REBOOT': expected one of",
        "error_detail is 'token'; expected one of delete_token, invalidate_token",
        "no 'licences' is taken; expected approval, licenses, serial_prefix",
        "licenses is True; expected int",
    ]
    assert len(lines) == len(starts)
    for number, (line, start) in enumerate(zip(lines, starts, strict=True), before):
        assert line.startswith(f"acts.toml: operator[{number}].with: {start}")


@pytest.mark.parametrize(("kind", "mistake"), [(kind, name) for kind, names in MISTAKES.items() for name in names])
def test_a_scenario_can_have_every_mistake_made(tmp_path: Path, kind: str, mistake: str) -> None:
    """By its name, at a rate, for a time."""
    fault = f'{{ where = "management", kind = "{kind}", mistake = "{mistake}", rate = 0.5, for_s = 60 }}'
    assert composed(tmp_path, f"inject_fault {fault}") == ()


def test_a_scenario_can_answer_with_any_code_of_the_protocol(tmp_path: Path) -> None:
    """For one kind of request, and a 410 with its detail."""
    error = 'where = "management", kind = "error", request = "policy"'
    acts = [f"inject_fault {{ {error}, status = {status} }}" for status in (402, 599, 902, 907)]
    assert composed(tmp_path, *acts, f'inject_fault {{ {error}, status = 410, error_detail = "delete_token" }}') == ()
