"""Reading a scenario: what is folded, and the exact line for each kind of mistake."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.faults import ScenarioFaults
from scenarios.load import HERE, Overrides, load, shipped
from scenarios.schema import Known, Scenario

KNOWN = Known(
    journeys=("enroll", "boot", "update"),
    steps=("ready", "applied", "updated", "identity.login"),
    actions=("publish_policy", "publish_extension_policy", "queue_command"),
    once_per={"ready": ("boot",), "management.register": ("enroll",)},
)
PLAIN = """
title = "A morning"
question = "Does it hold?"
organisation = "maebashi"
[day]
start = "07:55"
end = "09:10"
compression = 40
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = { shape = "bell", from = "07:55", to = "08:55" }
"""


def faults(folder: Path, text: str, overrides: Overrides | None = None) -> tuple[str, ...]:
    """What load says about that text."""
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioFaults) as caught:
        load(str(path), known=KNOWN, overrides=overrides)
    return caught.value.faults


def good(folder: Path, text: str, overrides: Overrides | None = None) -> Scenario:
    """The scenario of that text."""
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return load(str(path), known=KNOWN, overrides=overrides)


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        pytest.param(
            "compression = 40",
            "compresion = 40",
            "mine.toml: day.compresion: unknown key, expected one of compression, end, start; "
            'did you mean "compression"?',
            id="key",
        ),
        pytest.param(
            "compression = 40", 'compression = "40"', 'mine.toml: day.compression = "40": expected a number', id="type"
        ),
        pytest.param(
            "[[waves]]",
            "[people]\ntyping_median_ms = 8000\n[[waves]]",
            "mine.toml: people.typing_median_ms: unknown key, expected one of typing_median_s, typing_sigma; "
            'did you mean "typing_median_s"?',
            id="unit in the key",
        ),
        pytest.param(
            "[[waves]]",
            '[people]\ntyping_median_s = "8 s"\n[[waves]]',
            'mine.toml: people.typing_median_s = "8 s": expected a number, in seconds',
            id="unit in the value",
        ),
        pytest.param(
            'end = "09:10"',
            'end = "9:10"',
            'mine.toml: day.end = "9:10": expected a city time in quotes, "HH:MM" or "HH:MM:SS"',
            id="time",
        ),
        pytest.param(
            'end = "09:10"',
            "end = 09:10:00",
            'mine.toml: day.end = 09:10:00: expected a city time in quotes, "HH:MM" or "HH:MM:SS"',
            id="TOML's own time",
        ),
        pytest.param(
            'journey = "boot"',
            'journey = "bot"',
            'mine.toml: waves[0].journey = "bot": expected one of enroll, boot, update; did you mean "boot"?',
            id="journey",
        ),
        pytest.param(
            "[[waves]]",
            '[[objectives]]\nstep = "redy"\nerror_share_at_most = 0\n[[waves]]',
            'mine.toml: objectives[0].step = "redy": expected one of ready, applied, updated, identity.login, all; '
            'did you mean "ready"?',
            id="step",
        ),
        pytest.param(
            "[[waves]]",
            '[[objectives]]\nstep = "ready"\npercentile = 99.9\nlatency_s_at_most = 30\n[[waves]]',
            "mine.toml: objectives[0].percentile = 99.9: expected a percentile that 2600 planned samples of ready can "
            "carry (it needs 3688): plan more devices, or ask for less",
            id="objective",
        ),
        pytest.param(
            "[[waves]]",
            '[[objectives]]\nstep = "applied"\nerror_share_at_most = 0.01\n[[waves]]',
            "mine.toml: objectives[0].error_share_at_most = 0.01: expected a share that 0 planned samples of applied "
            "can carry (it needs 1): plan more devices, or ask for less",
            id="objective on errors of what is never played",
        ),
        pytest.param(
            "[[waves]]",
            '[[operator]]\nat = "08:58"\nact = "publish"\n[[waves]]',
            'mine.toml: operator[0].act = "publish": '
            "expected one of publish_policy, publish_extension_policy, queue_command; "
            'did you mean "publish_policy"?',
            id="act",
        ),
        pytest.param(
            'shape = "bell"',
            'shape = "bel"',
            'mine.toml: waves[0].arrivals.shape = "bel": expected one of bell, even, at, minutes; did you mean "bell"?',
            id="shape",
        ),
        pytest.param(
            'who = "staff"',
            'who = "stuff"',
            'mine.toml: waves[0].who = "stuff": expected one of staff, spares, all; did you mean "staff"?',
            id="who",
        ),
        pytest.param(
            'who = "staff"',
            'who = { site = "本庁" }',
            'mine.toml: waves[0].who.site = "本庁": expected one of 本庁舎, 大胡支所, 宮城支所, 粕川支所, 富士見支所, '
            '出先機関, 市立学校, 在宅; did you mean "本庁舎"?',
            id="site",
        ),
        pytest.param('title = "A morning"\n', "", "mine.toml: title is missing", id="missing"),
        pytest.param(
            'end = "09:10"\n',
            "",
            "mine.toml: day.end is missing: expected city time at which the run ends; nothing starts after it",
            id="missing, described",
        ),
        pytest.param(
            'title = "A', 'name = "x"\ntitle = "A', "mine.toml: name: unknown key, its name is its file's", id="name"
        ),
        pytest.param(
            'to = "08:55"',
            'to = "09:30"',
            'mine.toml: waves[0].arrivals = "07:55 to 09:30": expected times within the day, 07:55 to 09:10',
            id="window beyond the day",
        ),
        pytest.param(
            "[[waves]]",
            '[[operator]]\nat = "09:11"\nact = "publish_policy"\n[[waves]]',
            'mine.toml: operator[0].at = "09:11": expected a city time within the day, 07:55 to 09:10',
            id="act beyond the day",
        ),
        pytest.param(
            "[[waves]]",
            '[[objectives]]\nstep = "ready"\npercentile = 95\n[[waves]]',
            'mine.toml: objectives[0] = {"step": "ready", "percentile": 95}: expected exactly one of '
            "latency_s_at_most, service_s_at_most, error_share_at_most, done_by, done_within_s",
            id="objective without a limit",
        ),
        pytest.param(
            "[[waves]]",
            '[enrollment]\nway = "atestation"\n[[waves]]',
            'mine.toml: enrollment.way = "atestation": expected one of account, token, attestation;'
            ' did you mean "attestation"?',
            id="way to enroll",
        ),
        pytest.param(
            "[[waves]]",
            "[backend.enrollment]\nhash_modulus = 3000\n[[waves]]",
            "mine.toml: backend.enrollment.hash_modulus = 3000: expected a power of two",
            id="modulus",
        ),
        pytest.param(
            'organisation = "maebashi"',
            'organisation = "maebasi"',
            'no organisation is called "maebasi": expected one of maebashi, or a .toml file; did you mean "maebashi"?',
            id="organisation",
        ),
    ],
)
def test_one_fault(tmp_path: Path, right: str, wrong: str, line: str) -> None:
    """One mistake gives one line, and the line says file, key, value, what was expected and what was perhaps meant."""
    assert right in PLAIN
    assert faults(tmp_path, PLAIN.replace(right, wrong, 1)) == (line,)


def test_syntax_error_with_its_line(tmp_path: Path) -> None:
    """TOML that cannot be read says where."""
    (line,) = faults(tmp_path, 'title = "x"\nquestion = "y\n')
    assert line.startswith("mine.toml: line 2, column ")
    assert line.endswith("(TOML syntax)")


def test_every_fault_in_one_go(tmp_path: Path) -> None:
    """Faults of structure, of names, between parts, of the organisation and of the command line come together."""
    city = (HERE / "organisations" / "maebashi.toml").read_text("utf-8")
    (tmp_path / "city.toml").write_text(
        city.replace("staff = 2600", "staff = 2700").replace("share = 0.55", "share = 0.5")
    )
    text = PLAIN.replace('"maebashi"', '"city.toml"').replace('"boot"', '"bot"').replace('to = "08:55"', 'to = "09:55"')
    text += PLAIN[PLAIN.index("[[waves]]") :] + "\n[harness]\nlateness_ms_at_most = 70\n"
    assert sorted(faults(tmp_path, text, Overrides(seed=-1))) == [
        "city.toml: sites = "
        '[{"name": "本庁舎", "english": "City hall", "share": 0.5, "d...: expected shares that add up to 1, not 0.95',
        "city.toml: staff = 2700: expected at most as many staff as devices (2680)",
        "command line: --seed = -1: expected a number of at least 0",
        "mine.toml: harness.lateness_ms_at_most = 70: expected a number of at most 50, in milliseconds",
        'mine.toml: waves[0].arrivals = "07:55 to 09:55": expected times within the day, 07:55 to 09:10',
        'mine.toml: waves[0].journey = "bot": expected one of enroll, boot, update; did you mean "boot"?',
        'mine.toml: waves[1].name = "lids": expected a name that no other wave has',
    ]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (
            "standstill_s_at_most = 0",
            "harness.standstill_s_at_most = 0: expected a number above 0, in seconds",
        ),
        (
            "engine_busy_share_at_most = 90",
            "harness.engine_busy_share_at_most = 90: expected a number of at most 1, as a share from 0 to 1",
        ),
        (
            'others_cores_at_most = "half"',
            'harness.others_cores_at_most = "half": expected a number, in cores',
        ),
        (
            "loop_lag_ms = 20",
            "harness.loop_lag_ms: unknown key, expected one of asleep_ms_at_most, engine_busy_share_at_most,"
            " lateness_ms_at_most, loop_lag_ms_at_most, others_cores_at_most, pressure_share_at_most,"
            ' runqueue_share_at_most, standstill_s_at_most, wall_clock_ms_at_most; did you mean "loop_lag_ms_at_most"?',
        ),
    ],
)
def test_a_harness_limit_that_is_none(tmp_path: Path, said: str, fault: str) -> None:
    """One line each: what was said, and what would have been a limit."""
    assert faults(tmp_path, f"{PLAIN}\n[harness]\n{said}\n") == (f"mine.toml: {fault}",)


def test_the_organisations_faults_are_told_once(tmp_path: Path) -> None:
    """A wrong number of devices is wrong in the organisation's file alone."""
    city = (HERE / "organisations" / "maebashi.toml").read_text("utf-8")
    (tmp_path / "city.toml").write_text(city.replace("devices = 2680", "devices = 0"))
    assert faults(tmp_path, PLAIN.replace('"maebashi"', '"city.toml"')) == (
        "city.toml: devices = 0: expected a number of at least 1",
    )


def test_counts_that_carry(tmp_path: Path) -> None:
    """72 carry p95: `ready` has one a lid-open, `applied` one a lid-open and publish, `updated` the offered share."""
    objective = '[[objectives]]\nstep = "{}"\npercentile = 95\nlatency_s_at_most = 30\n'
    publish = '[[operator]]\nat = "08:5{}"\nact = "publish_policy"\n'
    assert good(tmp_path, PLAIN + objective.format("ready"), Overrides(devices=74)).starts("boot") == 72
    assert "71 planned" in faults(tmp_path, PLAIN + objective.format("ready"), Overrides(devices=73))[0]
    applied = PLAIN + objective.format("applied")
    assert "0 planned" in faults(tmp_path, applied)[0]
    assert "71 planned" in faults(tmp_path, applied + publish.format(7), Overrides(devices=73))[0]
    good(tmp_path, applied + publish.format(7) + publish.format(8), Overrides(devices=73))
    # a browser's extension is no device's, and nobody knows beforehand which devices have accounts of their own
    extension = '[[operator]]\nat = "08:58"\nact = "publish_extension_policy"\nwith = {{ policy = "{}" }}\n'
    assert (
        "71 planned"
        in faults(tmp_path, applied + publish.format(7) + extension.format("browser"), Overrides(devices=73))[0]
    )
    good(tmp_path, applied + publish.format(7) + extension.format("signin"), Overrides(devices=73))
    good(tmp_path, applied + publish.format(7) + 'with = { policy = "account" }\n', Overrides(devices=73))
    # 0.1 of 715 staff is 71.5, of 714 staff 71.4
    good(tmp_path, PLAIN + objective.format("updated"), Overrides(devices=737))
    assert "71 planned" in faults(tmp_path, PLAIN + objective.format("updated"), Overrides(devices=735))[0]
    # nothing is known beforehand about a step that is in no `once_per`
    good(tmp_path, PLAIN + objective.format("identity.login"), Overrides(devices=10))


def test_shipped_scenarios_are_right() -> None:
    """The default scenario is there, and is Maebashi's morning."""
    assert "morning_peak" in shipped()
    scenario = load("morning_peak", known=KNOWN)
    assert (scenario.name, scenario.organisation.name) == ("morning_peak", "maebashi")
    assert (scenario.devices, scenario.staff, scenario.starts("boot")) == (2680, 2600, 2600)
    assert (scenario.day.start_s, scenario.day.end_s, scenario.day.compression) == (28_500, 32_760, 30)


def test_devices_take_staff_along(tmp_path: Path) -> None:
    """Fewer or more devices keep the organisation's proportion of 80 spares in 2,680; the city itself stays."""
    for devices, spares in ((33, 0), (34, 1), (200, 5), (26_800, 800)):
        scenario = good(tmp_path, PLAIN, Overrides(devices=devices))
        assert (scenario.devices, scenario.staff) == (devices, devices - spares)
        assert scenario.organisation.devices == 2680


@pytest.mark.parametrize(
    ("overrides", "compression"),
    [
        (Overrides(), 30),
        (Overrides(compression=120), 120),
        (Overrides(named_target=True), 1),
        (Overrides(named_target=True, compression=10), 10),
    ],
)
def test_compression_is_folded(overrides: Overrides, compression: float) -> None:
    """The scenario's counts for stand-ins only; the command line's always."""
    assert load("morning_peak", known=KNOWN, overrides=overrides).day.compression == compression


def test_precedence_of_devices(tmp_path: Path) -> None:
    """Command line over scenario over organisation."""
    text = "devices = 500\n" + PLAIN
    assert good(tmp_path, PLAIN).devices == 2680
    assert good(tmp_path, text).devices == 500
    assert good(tmp_path, text, Overrides(devices=300)).devices == 300


def test_hash_is_of_what_is_said(tmp_path: Path) -> None:
    """Comments, order and the way a number is written change nothing; every value does."""
    plain = good(tmp_path, PLAIN)
    assert (
        good(tmp_path, "# a remark\n" + PLAIN.replace("= 40", "= 40.0").replace('"07:55"', '"07:55:00"')).hash
        == plain.hash
    )
    others = [
        good(tmp_path, PLAIN, Overrides(devices=2679)),
        good(tmp_path, PLAIN, Overrides(seed=2)),
        good(tmp_path, PLAIN, Overrides(compression=41)),
        good(tmp_path, PLAIN.replace("08:55", "08:54")),
        good(tmp_path, PLAIN + "share = 0.5\n"),
    ]
    assert len({plain.hash, *(other.hash for other in others)}) == 6


def test_json_round_trip() -> None:
    """An engine gets exactly the value that was hashed."""
    scenario = load("morning_peak", known=KNOWN)
    again = Scenario.from_json(scenario.to_json())
    assert again == scenario
    assert again.to_json() == scenario.to_json()
    assert json.loads(scenario.to_json())["day"] == {"start": "07:55", "end": "09:06", "compression": 30.0}


@pytest.mark.parametrize("text", [r'organisation = "\u0000.toml"', "a = " + "[" * 9_999, "a = " + "9" * 9_999])
def test_what_no_parser_likes(tmp_path: Path, text: str) -> None:
    """Names that no file has, depth and length beyond any use are faults too."""
    assert faults(tmp_path, text)


@given(st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_a_fault_not_a_traceback(tmp_path: Path, text: str) -> None:
    """Whatever stands in the file, the answer is a list of faults."""
    path = tmp_path / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ScenarioFaults):
        load(str(path), known=KNOWN)


SCALARS = st.none() | st.booleans() | st.integers(-9, 2**40) | st.floats(allow_nan=False) | st.text("a0:. ", max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1), inner)
)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_value_anywhere_is_taken_or_told(tmp_path: Path, data: st.DataObject) -> None:
    """Any value in place of any other of a good scenario gives a scenario or faults with its key."""
    with (HERE / "morning_peak.toml").open("rb") as file:
        tables: dict[str, Any] = tomllib.load(file)
    where: Any = tables
    while True:
        key = data.draw(st.sampled_from(list(where) if isinstance(where, dict) else list(range(len(where)))))
        if not isinstance(where[key], (dict, list)) or not where[key] or data.draw(st.booleans()):
            break
        where = where[key]
    where[key] = data.draw(VALUES)
    path = tmp_path / "any.toml"
    path.write_text("\n".join(f"{key} = {toml(value)}" for key, value in tables.items() if value is not None), "utf-8")
    try:
        scenario = load(str(path), known=KNOWN)
    except ScenarioFaults as caught:
        told = caught.faults
    else:
        told = (scenario.name,)
        assert Scenario.from_json(scenario.to_json()) == scenario
    assert all(told)
    assert told


def toml(value: Any) -> str:
    """A value as TOML writes it inline; nothing for none."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items() if inner is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(inner) for inner in value if inner is not None) + "]"
    return json.dumps(value).replace("Infinity", "inf")
