"""A search for the capacity judged from made run folders: the same again, honest about what it does not know."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader

from reports import capacity, capacity_words
from reports.capacity_advice import capacity_advice
from reports.capacity_council import capacity_council
from reports.capacity_page import capacity_page
from reports.messages import ENGLISH, Say
from reports.messages.distrust import distrust
from reports.runfolder import open_run
from simulator.cli import main
from tests.reports.made_levels import LIMIT_S, WHAT_IF_ROWS, conclude, play, whole_search


def test_the_capacity_and_its_band(tmp_path: Path) -> None:
    """2,500 devices, to the width that 3 % between runs leave: half of it in devices, as time grows with the square."""
    whole_search(tmp_path)
    result = conclude(tmp_path)["result"]
    assert (result["end"], result["exit"]) == ("found", 0)
    assert (result["holds"], result["breaks"], result["saturated"]) == (2450, 2600, None)
    assert result["capacity"] == pytest.approx(2500, rel=0.01)
    assert 2500 * 0.96 < result["low"] < 2500 < result["high"] < 2500 * 1.04
    assert result["objective"] == {"name": "identity.login p95 latency", "limit": 2.0, "unit": "s"}
    assert result["runs"] == 12


def test_judged_again_it_is_the_same(tmp_path: Path) -> None:
    """From the folder alone, with nothing but the runs and what the command knew."""
    whole_search(tmp_path)
    first = conclude(tmp_path)
    assert capacity.is_search(tmp_path)
    again = capacity.concluded(tmp_path, capacity.open_search(tmp_path), capacity.levels_in(tmp_path))
    assert again == first == json.loads((tmp_path / capacity.FILE).read_text())


def test_what_gave_in_and_how_throughput_grows(tmp_path: Path) -> None:
    """The stand-in's core is full at the limit (0.4 ms a device, a whole core at 2,500). Throughput falls behind what
    is in flight: N = rate x time, and time grows as the square of the rate."""
    whole_search(tmp_path)
    whole = conclude(tmp_path)
    assert {(one["metric"], one["kind"]) for one in whole["gave_in"]["found"]} >= {("backend_cpu_share", "full")}
    assert whole["gave_in"]["levels"] == [1000, 2450, 3375]
    law = whole["scalability"]
    assert "refused" not in law
    assert len(law["points"]) == 12
    assert law["bend"] > 0.5


def test_metrics_of_the_servers_lie_on_the_same_axis(tmp_path: Path) -> None:
    """server.csv is cut by each run's own start and end: level after level a minute apart, 7 threads a device."""
    whole_search(tmp_path)
    levels = capacity.levels_in(tmp_path)
    lines = ["utc,metric,value"]
    for level in levels:
        lines += [f"{level['began_utc'] + at},threads,{min(7 * level['devices'], 17_000)}" for at in (1, 10, 20)]
        lines.append(f"{level['ended_utc'] + 5},threads,999999")
    (tmp_path / "server.csv").write_text("\n".join(lines))
    whole = conclude(tmp_path)
    assert [level["metrics"]["threads"] for level in whole["levels"]][:2] == [7000, 10_500]
    found = {one["metric"]: one for one in whole["gave_in"]["found"]}
    assert found["threads"] == {
        "metric": "threads",
        "kind": "ceiling",
        "low": 7000,
        "at": 17_000,
        "beyond": 17_000,
        "sure": 1.0,
    }


def test_our_own_limit_is_told_as_ours(tmp_path: Path) -> None:
    """Two untrusted runs at 1,500: harness limit, exit 3, and no capacity of the target's is said."""
    for turn in (1, 2):
        play(tmp_path, 1500, 9.0, turn=turn, untrusted=["starts were 80 ms late"])
    for turn in (1, 2, 3):
        play(tmp_path, 1400, 1.0, turn=turn)
    whole = conclude(tmp_path)
    result = whole["result"]
    assert (result["end"], result["exit"], result["saturated"]) == ("harness", 3, 1500)
    assert result["capacity"] is result["low"] is result["high"] is None
    said = capacity_words.headline(whole)
    assert (said.mood, said.word) == ("untrusted", "Harness limit: at least 1,400 devices")
    assert "starts were 80 ms late" in said.because
    assert "not the target's capacity" in said.because


def test_a_plan_that_we_cannot_carry_is_our_limit_too(tmp_path: Path) -> None:
    """Not enough ports for a level: it saturates us without having been played."""
    for turn in (1, 2, 3):
        play(tmp_path, 1000, 1.0, turn=turn)
    whole = conclude(tmp_path, unplayable={"1050": "one address has 900 ports"})
    result = whole["result"]
    assert (result["end"], result["saturated"], result["why"]) == ("harness", 1050, "one address has 900 ports")
    said = capacity_words.headline(whole)
    assert (result["exit"], said.word) == (3, "Harness limit: at least 1,000 devices")
    assert said.because.startswith("This machine cannot play 1,050 devices (one address has 900 ports)")


LACKING = {
    "accounts": (
        "people.csv: 1,000 accounts for 1,020 people who sign in: add accounts, play fewer --devices, or let several"
        " people use one account with --reuse-accounts",
        "1,020 人に対しアカウントは 1,000 個です",
    ),
    "leave": (
        "the plan sends up to 105 requests/s to the targets and max_rate_per_s is 100: play fewer --devices, at a lower"
        " --compression, or have more authorised",
        "毎秒 105 件になりますが、max_rate_per_s は 100 です",
    ),
}


@pytest.mark.parametrize("what", LACKING)
def test_what_the_user_has_too_little_of_is_not_our_limit(tmp_path: Path, what: str) -> None:
    """Accounts, or leave: undecided, exit 4, at least what held; the reason is told, and no larger machine."""
    english, japanese = LACKING[what]
    for turn in (1, 2, 3):
        play(tmp_path, 1000, 1.0, turn=turn)
    whole = conclude(tmp_path, unplayable={"1050": english}, lacking=[1050])
    result, said = whole["result"], capacity_words.headline(whole)
    assert (result["end"], result["exit"], result["capacity"]) == ("lacking", 4, None)
    assert (said.mood, said.word) == ("unknown", "At least 1,000 devices")
    assert said.because.startswith(f"1,050 devices could not be played ({english})")
    assert capacity_advice(whole, ENGLISH) == [
        "Give the search what it lacks for more devices, as said above.",
        "Then search again: fleetrush capacity sign_in_peak",
    ]
    page = capacity_page(tmp_path.name, whole, ENGLISH)
    assert "could not be played" in page
    assert not re.search("our own (side could|limit)|larger machine", page)
    in_japanese = capacity_page(tmp_path.name, whole, Say("ja"))
    assert in_japanese.count(japanese) == 2
    assert "測定側" not in in_japanese[: in_japanese.index('id="search"')]
    sheet = capacity_council(open_run(tmp_path / "level-01000-1"), whole, ENGLISH)
    assert "bear at least" in sheet
    assert "Provide the accounts or the permission" in sheet


def test_an_authorisation_that_ended_is_told(tmp_path: Path) -> None:
    """Neither the time nor a busy target: what to have renewed, and the same search again."""
    play(tmp_path, 1000, 0.5)
    whole = conclude(tmp_path, ended={"reason": "leave", "detail": "the [authorisation] holds from 11:00 until 13:00"})
    assert (whole["result"]["end"], whole["result"]["exit"]) == ("open", 4)
    assert "the authorisation does not last for another level" in capacity_words.headline(whole).because
    assert "許可の期間([authorisation])が足りず" in capacity_words.headline(whole, Say("ja")).because
    (sentence,) = capacity_advice(whole, ENGLISH)
    assert re.search(r"\[authorisation\] renewed .* fleetrush capacity sign_in_peak$", sentence)


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "312 metrics of the servers were left out"), ("ja", "312 件は対象外")]
)
def test_metrics_that_were_left_out_are_told(tmp_path: Path, lang: Any, said: str) -> None:
    """What gave in may be among them: on the page, before what gave in, and on the terminal; nothing where all were
    kept, nor of a search that an earlier release played."""
    play(tmp_path, 1000, 0.5)
    whole = conclude(tmp_path, metrics_left_out=312)
    page = capacity_page(tmp_path.name, whole, Say(lang))
    assert page.index('id="gave_in"') < page.index(said) < page.index('id="scalability"')
    assert "312 metrics of the servers were left out" in capacity_words.text(whole, "")
    for changes in ({"metrics_left_out": 0}, {}):
        assert "left out" not in capacity_words.text(conclude(tmp_path, **changes), "")


def test_why_a_level_was_not_played_is_told_in_japanese(tmp_path: Path) -> None:
    """In the headline and in the table of the levels."""
    for turn in (1, 2, 3):
        play(tmp_path, 1000, 1.0, turn=turn)
    why = "memory: all processes together need about 9.0 GiB and 2.0 GiB are free: play fewer --devices, or free some"
    page = capacity_page(tmp_path.name, conclude(tmp_path, unplayable={"1050": why}), Say("ja"))
    assert page.count("全プロセスで約 9.0 GiB 必要ですが、空きは 2.0 GiB です") == 2
    assert "all processes" not in page


def test_a_search_cut_short_is_undecided(tmp_path: Path) -> None:
    """Between 1,000 and 3,000 lies a limit: about where, no more, exit 4, and why."""
    play(tmp_path, 1000, 0.5)
    play(tmp_path, 3000, 8.0)
    whole = conclude(tmp_path, ended={"reason": "time", "detail": ""})
    result = whole["result"]
    assert (result["end"], result["exit"], result["low"], result["high"]) == ("open", 4, None, None)
    assert result["capacity"] == pytest.approx(1730, rel=0.01)
    said = capacity_words.headline(whole)
    assert said.word == "Undecided"
    assert "the time was over" in said.because


def test_a_target_that_gave_in_counts_as_beyond(tmp_path: Path) -> None:
    """A run stopped to spare the target passes every limit, whatever it measured before; one interrupted is no run."""
    play(tmp_path, 1000, 0.5)
    play(
        tmp_path,
        2000,
        0.6,
        ended={"utc": "2026-01-15T00:10:00+00:00", "reason": "aborted", "detail": "x"},
        partial=True,
    )
    play(
        tmp_path,
        3000,
        0.5,
        ended={"utc": "2026-01-15T00:10:00+00:00", "reason": "interrupted", "detail": ""},
        partial=True,
    )
    whole = conclude(tmp_path)
    assert (whole["result"]["holds"], whole["result"]["breaks"]) == (1000, 2000)
    assert [capacity_words.verdict_of(level) for level in whole["levels"]] == ["within", "gave_in", "cut"]


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_says_the_headline_first(tmp_path: Path, lang: Any) -> None:
    """Headline, charts with their words, the levels, what gave in, the law, the what-ifs: in either language."""
    whole_search(tmp_path)
    whole = conclude(tmp_path, what_ifs=WHAT_IF_ROWS)
    text = capacity_page(tmp_path.name, whole, Say(lang))
    head = text.index("<h1>")
    assert head < text.index('data-chart="capacity"') < text.index("level-02450-1/report.html")
    assert ("2,500 devices before" in text) == (lang == "en")
    assert text.count("data-chart=") == 2
    said = {
        "en": [
            "Twice the devices",
            "rehearsed",
            "not measured: --time 9 was over",
            "with 1,000 devices, in proportion",
            "by a run with 1,020 devices",
            "4.19 MB were sent for each update",
            "3 of 6 cases: it was cut off before the others",
            "With the limit backend_cpu_share gave in (full: a share of 90 % or more): named so in 100 % of 500",
        ],
        "ja": ["台数が 2 倍", "リハーサル", "測定せず", "3 件", "上限とともに backend_cpu_share が限界に"],
    }[lang]
    for words in said:
        assert words in text, words
    assert 'href="what-if-full_update/report.html"' in text


def test_what_to_do_after_a_search(tmp_path: Path) -> None:
    """The metric that gave in, the run that shows it, the band's lower end to plan with, and what was not tested; how
    much of the capacity the devices are that it began with (1,000 of 2,500: two fifths)."""
    whole_search(tmp_path)
    whole = conclude(tmp_path, compression=60.0)
    gave_in, level, plan, staging, pace = capacity_advice(whole, ENGLISH)
    assert "backend_cpu_share on its server first" in gave_in
    assert level.startswith("Open level-02600-3, ")
    low = whole["result"]["low"]
    # 8 starts a second with 1,000 devices
    assert f"Plan with {low:,.0f} devices" in plan
    assert f": {low * 8 / 1000:.3g} starts a second" in plan
    assert "staging = true" in staging
    assert "--compression 1" in pace
    text = capacity_page(tmp_path.name, whole, ENGLISH)
    assert text.index("need 40 % of that") < text.index('id="todo"') < text.index('id="curve"')


def test_a_full_stand_in_is_not_the_users_server(tmp_path: Path) -> None:
    """Where a system of the user is tested, what gave in may be ours; the user's metrics count first."""
    whole_search(tmp_path)
    own = {"identity": {"basis": "target", "url": "http://idp"}, "management": {"basis": "stand-in", "url": ""}}
    whole = conclude(tmp_path, targets=own)
    told = capacity_advice(whole, ENGLISH)
    assert "stand-in of ours gave in with the limit (backend_cpu_share)" in told[0]
    assert not any("staging" in one for one in told)
    threads = {"metric": "threads", "kind": "ceiling", "low": 7, "at": 9, "beyond": 9, "sure": 1.0}
    whole["gave_in"]["found"].append(threads)
    assert "threads on its server first" in capacity_advice(whole, ENGLISH)[0]
    whole["gave_in"]["found"] = [threads | {"sure": 0.49}]
    assert "threads" not in capacity_words.gave_in(whole) + capacity_advice(whole, ENGLISH)[0]
    assert "--server-metrics" in capacity_advice(whole, ENGLISH)[0]


def test_the_run_to_open_is_of_a_level_that_breaks(tmp_path: Path) -> None:
    """2,450 devices hold in the mean though one of their runs passed the limit: the run to open is
    of the first level that does not."""
    for devices, seconds in ((2000, (1.0,)), (2450, (1.6, 1.7, 2.1)), (2600, (2.2, 2.3, 2.4)), (3375, (4.0,))):
        for turn, one in enumerate(seconds, 1):
            play(tmp_path, devices, one, turn=turn)
    whole = conclude(tmp_path)
    assert (whole["result"]["holds"], whole["result"]["breaks"]) == (2450, 2600)
    (opened,) = [one for one in capacity_advice(whole, ENGLISH) if one.startswith("Open ")]
    assert opened.startswith("Open level-02600-3, ")


@pytest.mark.parametrize(
    ("levels", "changes", "expected"),
    [
        ([(1000, 0.5), (3000, 8.0)], {"ended": {"reason": "time"}}, ["fleetrush capacity sign_in_peak --time 120"]),
        ([(1000, 0.5)], {"ended": {"reason": "interrupted"}}, ["to its end: fleetrush capacity sign_in_peak"]),
        ([(10_000, 0.5)] * 3, {}, ["--max-devices 100000", "staging = true"]),
        ([(100, 9.0)] * 3, {}, ["Open level-00100-", "staging = true"]),
        ([(1000, 1.0)] * 3, {"unplayable": {"1050": "900 ports"}}, ["as said above", "Then search again"]),
    ],
)
def test_what_to_do_follows_from_how_it_ended(
    tmp_path: Path, levels: list[tuple[int, float]], changes: dict[str, Any], expected: list[str]
) -> None:
    """Cut off, not far enough, too much from the beginning, or held back by ourselves: each another next step."""
    for turn, (devices, login_s) in enumerate(levels):
        play(tmp_path, devices, login_s, turn=turn)
    told = capacity_advice(conclude(tmp_path, **changes), ENGLISH)
    assert len(told) == len(expected), told
    for sentence, part in zip(told, expected, strict=True):
        assert re.search(part, sentence), sentence


def test_our_own_limit_has_its_remedy(tmp_path: Path) -> None:
    """A reason that the trust gate gives is told with what to do about it."""
    reason = distrust("harness_ports", count=3, at="7")
    for turn in (1, 2):
        play(tmp_path, 1500, 9.0, turn=turn, untrusted=[reason])
    for turn in (1, 2, 3):
        play(tmp_path, 1400, 1.0, turn=turn)
    told = capacity_advice(conclude(tmp_path), ENGLISH)
    remedy = "Widen net.ipv4.ip_local_port_range, or play fewer devices on this machine."
    assert told == [remedy, "Then search again: fleetrush capacity sign_in_peak"]


def test_the_pages_for_everybody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report --public --pdf`: the figures stay; no host, account, path or machine is left, nor what servers call their
    metrics; it leads to the public pages of its runs; the PDF is as public, on A4, begins with the council's sheet and
    says the headline."""
    folder = tmp_path / "capacity-of-loadbox"
    secret = {
        "targets": {
            "management": {"basis": "stand-in", "url": ""},
            "identity": {"basis": "target", "url": "https://idp.city.example/saml"},
        },
        "machine": {"cores": 2, "processor": "Xeon-4711"},
    }
    play(folder, 1000, LIMIT_S / 2, turn=1, **secret)
    play(folder, 2000, LIMIT_S * 2, untrusted=["idp.city.example (10.20.30.40) was lost"], **secret)
    play(folder, 3000, LIMIT_S * 4, **secret)
    play(folder, 1000, LIMIT_S / 2, turn=2, **secret)
    (folder / "level-01000-2").rename(folder / "what-if-full_update")
    begun = [(level["began_utc"], level["devices"]) for level in capacity.levels_in(folder)]
    lines = [f"{utc + 5},{min(1.0, devices / 2000)}" for utc, devices in begun]
    (folder / "server.csv").write_text("\n".join(["utc,idp-db-01_cpu_ratio", *lines]))
    conclude(
        folder,
        targets=secret["targets"],
        command="capacity --targets /srv/city/targets.toml",
        question="Does idp.city.example hold?",
        what_ifs=WHAT_IF_ROWS,
    )
    file = tmp_path / "x.pdf"
    code = main(["report", "--public", "--pdf", str(file), str(folder)])
    assert code == capacity.open_search(folder)["result"]["exit"]
    assert str(folder / "report-public.html") in capsys.readouterr().out
    full, shown = ((folder / name).read_text("utf-8") for name in ("report.html", "report-public.html"))
    paper = " ".join(" ".join(one.extract_text() for one in PdfReader(file).pages).split())
    hidden = ("idp.city.example", "10.20.30.40", "/srv/city", "idp-db-01", "capacity-of-loadbox")
    for text in hidden:
        assert text in full, text
        assert text not in shown + paper, text
    head = re.search("<h1>(.*)</h1>", full)
    assert head is not None
    assert head[0] in shown
    assert head[1] in paper
    sheets = {name: (folder / name).read_text("utf-8") for name in ("council.html", "council-public.html")}
    assert "idp.city.example" in sheets["council.html"]
    assert not any(one in sheets["council-public.html"] for one in hidden)
    heads = [re.findall("<h1>(.*)</h1>", one) for one in sheets.values()]
    assert heads[0] == heads[1]
    assert heads[0][0] in " ".join(PdfReader(file).pages[0].extract_text().split())
    for run in ("level-01000-1", "what-if-full_update"):
        assert f'href="{run}/report-public.html"' in shown
        masked = (folder / run / "report-public.html").read_text("utf-8")
        assert "Xeon-4711" not in masked
    assert {(round(one.mediabox.width), round(one.mediabox.height)) for one in PdfReader(file).pages} == {(595, 842)}


def test_a_search_without_its_levels_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit 2, and what was found is not overwritten."""
    play(tmp_path, 1000, 0.5)
    before = conclude(tmp_path)
    shutil.rmtree(tmp_path / "level-01000-1")
    assert main(["report", str(tmp_path)]) == 2
    assert "not a whole search" in capsys.readouterr().err
    assert capacity.open_search(tmp_path) == before


def test_a_search_has_no_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, what to name instead, exit 2; nor has it samples of its own to export."""
    play(tmp_path, 1000, 0.5)
    conclude(tmp_path)
    for option in ("--baseline", "--samples"):
        named = str(tmp_path if option == "--baseline" else tmp_path / "x.csv")
        assert main(["report", str(tmp_path), option, named]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("fleetrush: ")
        assert "one run" in line


def test_the_processor_of_a_csv_is_named_and_not_a_counter_beside_it(tmp_path: Path) -> None:
    """The customer's CSV over a whole search as it is played, up and down: its processor is full near the limit, jobs
    rise by themselves, the disk is full all the while. The processor is named alone, in words that say how sure."""
    order = (1000, 1500, 2250, 3375, 2750, 2450, 2600, 2450, 2450, 2600, 2600)
    turns: Counter[int] = Counter()
    chance = np.random.default_rng(2)
    lines = ["utc,cpu_utilization,jobs_done_ever,disk_ratio"]
    for number, devices in enumerate(order):
        turns[devices] += 1
        play(tmp_path, devices, LIMIT_S * (devices / 2500) ** 2, turn=turns[devices])
        began = capacity.levels_in(tmp_path)[-1]["began_utc"]
        for at in range(0, 25, 5):
            busy = min(1.0, devices / 2500) * (1 - 0.02 * float(chance.random()))
            lines.append(f"{began + at},{busy},{1000 * (25 * number + at)},0.95")
    path = tmp_path / "server.csv"
    path.write_text("\n".join(lines))
    whole = conclude(tmp_path)
    of_customer = [one for one in whole["gave_in"]["found"] if not one["metric"].startswith("backend_")]
    assert [(one["metric"], one["kind"]) for one in of_customer] == [("cpu_utilization", "full")]
    assert of_customer[0]["sure"] >= 0.95
    assert re.search(
        r"gave in: cpu_utilization: full.*named so in \d+ % of 500 searches", capacity_words.text(whole, "")
    )


def test_the_words_on_the_terminal(tmp_path: Path) -> None:
    """The headline, its band, what it is a capacity of, and where the page is."""
    whole_search(tmp_path)
    lines = capacity_words.text(conclude(tmp_path), "runs/x/report.html").splitlines()
    assert lines[0] == "2,500 devices before identity.login p95 latency passes 2 s."
    assert "95 % confidence from 12 runs" in lines[1]
    assert "none of your systems was tested" in lines[2]
    assert lines[-1] == "report: runs/x/report.html"
