"""The pages for everybody: searched for every value of the run that tells whose systems and accounts it met."""

import shutil
from pathlib import Path
from typing import Any

import made_run
import pytest

from reports.council import council
from reports.messages import Say
from reports.page import page
from reports.public import MASK, public
from reports.runfolder import RunData, write_json
from reports.summary import summarise
from simulator.conclusion import report_again

SECRETS = (
    "idp-staging.city.example",
    "10.20.30.40",
    "fd00:12:34::7",
    "City of Example",
    "T. Sato",
    "loadbox-7",
    "Xeon-4711",
    "6.1.0-secretkernel",
    "taro.yamada",
    "5CD1234XYZ",
    "/srv/city/fleet.json",
    "fleet.json",
    "city-targets.toml",
    "people.csv",
    "monday-before-the-rollout",
    "mqtt.internal",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A run that names all of SECRETS in every place that a run has for texts."""
    run = made_run.run_json(devices=400, staff=390)
    said = (
        "host idp-staging.city.example (10.20.30.40, fd00:12:34::7) on loadbox-7: see /srv/city/fleet.json of T. Sato"
    )
    run |= {
        "targets": {
            **run["targets"],
            "identity": {"url": "https://idp-staging.city.example:8443/saml/metadata", "basis": "target"},
            "push": {"url": "mqtts://mqtt.internal:8883", "basis": "target"},
        },
        "authorisation": {"hosts": ["idp-staging.city.example"], "owner": "City of Example", "approved_by": "T. Sato"},
        "machine": {"cores": 2, "system": "Linux 6.1.0-secretkernel", "processor": "Xeon-4711", "host": "loadbox-7"},
        "accounts": {"from": "/home/sato/people.csv", "accounts": 9, "people": 390, "reused": True},
        "enrollments": "/srv/city/fleet.json",
        "command": "fleetrush run --targets city-targets.toml --accounts people.csv --enrollments /srv/city/fleet.json",
        "untrusted": [f"worker loadbox-7 was lost: {said}"],
        "ended": {"utc": "2026-01-15T00:02:30Z", "reason": "aborted", "detail": said},
        "actions": [{"act": "publish_policy", "due": made_run.LEAD_S + 9}],
    }
    run["scenario"] = {
        **run["scenario"],
        "question": f"Does {said} hold for taro.yamada@city.example?",
        "title": "At City of Example",
    }
    examples = [
        {
            "step": "identity.login",
            "reason": "timeout",
            "status": 0,
            "device": 7,
            "at_s": 44.1,
            "detail": f"{said}; user taro.yamada, serial 5CD1234XYZ",
            "url": "https://idp-staging.city.example/login?user=taro.yamada",
        }
    ]
    health = [{**row, "who": "loadbox-7:engine-0"} for row in made_run.health(20)] + made_run.health(20)
    folder = tmp_path_factory.mktemp("monday-before-the-rollout")
    return made_run.write(folder, made_run.morning(400, broken=0.1), run, health, examples)


def pages(data: RunData, summary: Any, lang: Any) -> str:
    """Everything that is shown of a run."""
    return page(data, summary, say=Say(lang)) + council(data, summary, say=Say(lang))


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_nothing_that_identifies_is_left(data: RunData, lang: str) -> None:
    """Of the values that the full page shows not one is in the masked pages, in no writing."""
    summary = summarise(data)
    hidden = RunData(Path("runs/monday-before-the-rollout"), data.run, data.samples, data.examples, data.health)
    full = pages(hidden, summary, lang)
    shown = [secret for secret in SECRETS if secret in full]
    assert len(shown) >= 14, set(SECRETS) - set(shown)
    masked = pages(*public(hidden, summary), lang).lower()
    for secret in SECRETS:
        assert secret.lower() not in masked, secret
    for part in ("city.example", "sato", "yamada", "loadbox", "secretkernel"):
        assert part not in masked, part


def test_a_series_shows_no_more_than_its_runs(
    data: RunData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`report SERIES --public`: its page and sheet name nothing of SECRETS that the full page names; its links lead to
    the public pages of its runs, which are there."""
    folder, names = tmp_path / "monday-before-the-rollout-repeat", ("run-01", "run-02", "run-03")
    for name in names:
        shutil.copytree(data.path, folder / name)
    told = {"format": 1, "scenario": "morning_peak", "hash": data.run["hash"], "planned": 3}
    told |= {"command": data.run["command"], "began_utc": "2026-01-15T00:00:00+00:00"}
    ends = {"ended": {"reason": "complete", "detail": ""}, "runs": [{"run": name, "exit": 0} for name in names]}
    write_json(folder / "series.json", told | ends)
    report_again([folder], public=True)
    capsys.readouterr()
    full = (folder / "report.html").read_text()
    assert sum(secret in full for secret in SECRETS) >= 8
    masked = ((folder / "report-public.html").read_text() + (folder / "council-public.html").read_text()).lower()
    for secret in (*SECRETS, "sato", "yamada", "loadbox", "secretkernel"):
        assert secret.lower() not in masked, secret
    assert "fleetrush run morning_peak --seed 1" in masked
    assert "--repeat 3" in masked
    for name in names:
        assert f'href="{name}/report-public.html"' in masked
        assert (folder / name / "report-public.html").is_file()
    assert '/report.html"' not in masked


def test_what_does_not_identify_is_the_same(data: RunData) -> None:
    """Figures, verdict, objectives and steps; the run itself is not changed."""
    summary = summarise(data)
    before = repr((data.run, summary))
    masked, its = public(data, summary)
    assert repr((data.run, summary)) == before
    for key in ("steps", "verdict", "devices", "phases", "bytes", "hash", "seed", "outages"):
        assert its[key] == summary[key]
    assert [row["value"] for row in its["objectives"]] == [row["value"] for row in summary["objectives"]]
    assert masked.samples is data.samples
    assert masked.run["machine"] == {"cores": 2}
    assert MASK in its["question"]


def test_a_run_with_next_to_nothing_can_be_shown() -> None:
    """Killed before its end, generated accounts, no authorisation."""
    run = {"format": 1, **made_run.run_json(ended=None)}
    bare = RunData(Path("x"), run, made_run.rows("ready", 0))
    assert "fleetrush run morning_peak --seed 1 --devices 2680 --compression 40" in pages(
        *public(bare, summarise(bare)), "en"
    )
