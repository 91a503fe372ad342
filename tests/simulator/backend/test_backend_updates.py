"""The stand-in's update service: real devices' requests in memory, and arithmetic for shares and ranges."""

from __future__ import annotations

import hashlib
import math
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from simulator.backend.payloads import span
from simulator.backend.settings import BackendSettings
from simulator.backend.store import Store
from simulator.backend.updates import Updates
from simulator.protocols import updates
from simulator.protocols.messages import Request
from simulator.protocols.updates import NoUpdate, Offer, UpdateClient

BASE = "http://127.0.0.1:8000"
NOW = 1_800_000_000.0
OLD = UpdateClient(appid="{A}", board="emu-signed-mp-v4keys", hwid="EMU A1A", version="16093.68.0")
SIZE = 20_000
STORES: list[Store] = []


def zeros(count: int) -> bytes:
    return bytes(count)


def service(path: str = ":memory:", payload_dir: str = "", share: float = 0.1) -> Updates:
    settings = BackendSettings(
        management_url=BASE,
        identity_url=BASE,
        idp_url=BASE,
        updates_url=BASE,
        push_url="mqtt://127.0.0.1:1883",
        password_secret=b"",
        update_share=share,
        payload_dir=payload_dir,
    )
    STORES.append(Store(path))
    return Updates(STORES[-1], settings, zeros, [])


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    """Lets go of every database that was opened here."""
    yield
    for store in STORES:
        store.close()


@pytest.fixture(scope="module")
def released() -> Updates:
    """A service with one release for everybody."""
    made = service()
    made.publish_release("16181.61.0", SIZE, 1.0)
    return made


def check(at: Updates, client: UpdateClient = OLD, session: str = "s", prefix: str = "") -> Offer | NoUpdate:
    exchange = updates.check(BASE, client, now=NOW, request_id="r", session_id=session, target_version_prefix=prefix)
    return exchange.read(at.handle(exchange.request, NOW))


def report(at: Updates, client: UpdateClient, kind: int, result: int, errorcode: int = 0) -> None:
    exchange = updates.event(
        BASE, client, kind=kind, result=result, errorcode=errorcode, request_id="r", session_id="s"
    )
    exchange.read(at.handle(exchange.request, NOW))


def fetch(at: Updates, found: Offer) -> bytes:
    exchange, sink = updates.download(found, "s")
    response = at.handle(exchange.request, NOW)
    sink.write(response.body)
    exchange.read(response)
    return bytes(response.body)


def offered(at: Updates, client: UpdateClient = OLD, **more: str) -> str:
    found = check(at, client, **more)
    return found.version if isinstance(found, Offer) else ""


def test_without_a_release_nobody_has_an_update() -> None:
    """But a cohort and a daystart all the same."""
    found = check(service())
    assert isinstance(found, NoUpdate)
    assert found.client.cohort.startswith("1:")
    assert found.client.cohortname == "emu_stable"
    assert found.client.midnight == NOW - (int(NOW) - 8 * 3600) % 86400  # midnight of UTC-8


def test_a_whole_update_in_the_order_of_the_facts() -> None:
    """Check, 13, download, 14, 3; after the reboot event 54, and nothing newer. All of it counted."""
    at = service()
    at.publish_release("16181.61.0", SIZE, 1.0)
    found = check(at)
    assert isinstance(found, Offer)
    assert found.version == "16181.61.0"
    report(at, found.client, updates.DOWNLOAD_STARTED, updates.SUCCEEDED)
    body = fetch(at, found)
    assert len(body) == SIZE
    report(at, found.client, updates.DOWNLOAD_FINISHED, updates.SUCCEEDED)
    report(at, found.client, updates.UPDATE_COMPLETE, updates.SUCCEEDED)
    report(at, found.client, updates.UPDATE_COMPLETE, updates.FAILED, 2503)
    client = replace(found.client, version=found.version)
    exchange = updates.check(BASE, client, now=NOW, request_id="r", session_id="t", previous_version="16093.68.0")
    assert exchange.read(at.handle(exchange.request, NOW)) == NoUpdate(client, 0)
    assert at.counts() == {
        "checks": 2,
        "offers": 1,
        "payload_requests": 1,
        "payload_bytes": SIZE,
        "releases": 1,
        "events": 5,
        "updated": 1,
    }


@pytest.mark.parametrize(
    ("share", "count"), [(0.0, 0), (0.001, 1), (0.07, 70), (0.1, 100), (0.57, 570), (0.0996, 100), (1.0, 1000)]
)
def test_a_release_is_for_exactly_its_share_of_the_cohorts(share: float, count: int) -> None:
    """Of 1,000 cohorts, 1,000 times the share: no rounding surprise."""
    at = service(share=share)
    at.publish_release("16181.61.0", 700)
    told = [offered(at, replace(OLD, cohort=f"1:{n}:")) for n in range(1000)]
    assert sum(map(bool, told)) == count
    assert told == sorted(told, reverse=True)  # the lowest ones, so that a growing share keeps who had it


def test_cohorts_are_drawn_evenly_and_stay() -> None:
    """4,000 sessions fall into 10 tenths as chance has it; who was told a cohort keeps it whatever the session is."""
    at = service()
    drawn = [check(at, session=f"session {n}").client.cohort for n in range(4000)]
    tenths = Counter(int(cohort.split(":")[1]) // 100 for cohort in drawn)
    assert sorted(tenths) == list(range(10))
    # chi-square with 9 degrees of freedom: 27.9 is passed once in a thousand, and these draws are fixed
    assert sum((count - 400) ** 2 / 400 for count in tenths.values()) < 27.9
    assert check(at, session="session 7").client.cohort == drawn[7]
    assert check(at, replace(OLD, cohort=drawn[7]), session="another").client.cohort == drawn[7]


@pytest.mark.parametrize("cohort", ["", "1:1000:", "1::", "2:3:", "1:3:x", "1:٣:"])
def test_a_cohort_that_is_none_of_ours_is_drawn_anew(cohort: str) -> None:
    """As for a device that never asked."""
    at = service()
    assert check(at, replace(OLD, cohort=cohort)).client.cohort == check(at).client.cohort


def test_the_newest_fitting_release_is_offered() -> None:
    """Versions compare as numbers; the policy's prefix, the share and the device's own version limit the choice."""
    at = service()
    at.publish_release("16181.9.0", 700, 1.0)
    at.publish_release("16181.61.0", 701, 0.5)
    at.publish_release("15633.69.0", 702, 1.0)
    low, high = replace(OLD, cohort="1:499:"), replace(OLD, cohort="1:500:")
    assert offered(at, low) == "16181.61.0"
    assert offered(at, high) == "16181.9.0"
    assert offered(at, replace(high, version="16181.9.0")) == ""
    assert offered(at, replace(low, version="16181.9.0")) == "16181.61.0"
    assert offered(at, replace(low, version="16181.10.0")) == "16181.61.0"
    assert offered(at, replace(low, version="0.0.0.0")) == "16181.61.0"
    assert offered(at, replace(low, version="15000.0.0"), prefix="15633.") == "15633.69.0"
    assert offered(at, low, prefix="15633.") == ""
    assert offered(at, replace(low, version="unknown")) == ""


def test_a_release_can_be_given_another_share() -> None:
    """Publishing it again takes effect at once and keeps its payload."""
    at = service()
    last = replace(OLD, cohort="1:999:")
    at.publish_release("16181.61.0", 700, 0.5)
    assert offered(at, last) == ""
    at.publish_release("16181.61.0", 700, 1.0)
    found = check(at, last)
    assert isinstance(found, Offer)
    assert len(fetch(at, found)) == 700
    assert at.counts()["releases"] == 1


@pytest.mark.parametrize(
    ("act", "line"),
    [
        (lambda at: at.publish_release("new", 700), "version is 'new'; expected numbers with dots between"),
        (lambda at: at.publish_release("1.2.3\n", 700), "version is"),
        (lambda at: at.publish_release("1.2.3", 700, 1.5), "share is 1.5; expected 0 to 1"),
        (lambda at: at.publish_release("1.2.3", 700, math.nan), "share is nan"),
        (lambda at: at.publish_release("1.2.3", 0), "size is 0; expected"),
        (lambda at: at.publish_release("1.2.3", 10**12), "size is 1000000000000; expected"),
        (lambda at: at.publish_release("1.2.3", 100), "no payload has only 100 bytes"),
    ],
)
def test_an_operators_mistake_is_one_line(act: Callable[[Updates], None], line: str) -> None:
    """And changes nothing."""
    at = service()
    with pytest.raises(ValueError, match=line):
        act(at)
    assert at.counts()["releases"] == 0


def test_minios_and_dlcs_are_answered_and_never_have_news(released: Updates) -> None:
    """One <app> for each that asked, in order, each acknowledged in what it sent."""
    body = b"""<request protocol="3.0" sessionid="s">
      <app appid="{A}" version="1.0.0"><ping r="1"/><updatecheck/><event eventtype="54" eventresult="1"/></app>
      <app appid="{A}_minios" version="1.0.0"><updatecheck/></app>
      <app appid="{A}_dlc"><event eventtype="3" eventresult="1"/></app></request>"""
    response = released.handle(Request("POST", BASE + "/service/update2", body=body), NOW)
    assert (response.status, response.header("content-type")) == (200, "text/xml; charset=utf-8")
    apps = etree.fromstring(response.body).findall("app")
    told = [(app.get("appid"), [(part.tag, part.get("status")) for part in app]) for app in apps]
    assert told == [
        ("{A}", [("ping", "ok"), ("event", "ok"), ("updatecheck", "ok")]),
        ("{A}_minios", [("updatecheck", "noupdate")]),
        ("{A}_dlc", [("event", "ok")]),
    ]


def payload_of(at: Updates, header: str) -> tuple[int, bytes, str]:
    found = check(at)
    assert isinstance(found, Offer)
    response = at.handle(Request("GET", found.url, (("Range", header),) if header else ()), NOW)
    return response.status, bytes(response.body), response.header("content-range")


@pytest.mark.parametrize(
    ("header", "status", "first", "last"),
    [
        ("", 200, 0, SIZE - 1),
        (f"bytes=0-{SIZE - 1}", 206, 0, SIZE - 1),
        ("bytes=0-0", 206, 0, 0),
        ("Bytes=0-0", 206, 0, 0),
        ("bytes=500-", 206, 500, SIZE - 1),
        (f"bytes=500-{SIZE + 499}", 206, 500, SIZE - 1),  # a resumed device's: its end is beyond the file
        ("bytes=-300", 206, SIZE - 300, SIZE - 1),
        (f"bytes=-{SIZE + 1}", 206, 0, SIZE - 1),
        (f"bytes={SIZE}-", 416, 0, -1),
        (f"bytes={SIZE}-{SIZE + 5}", 416, 0, -1),
        ("bytes=-0", 416, 0, -1),
        ("bytes=5-4", 200, 0, SIZE - 1),
        ("bytes=0-1,3-4", 200, 0, SIZE - 1),
        ("items=0-1", 200, 0, SIZE - 1),
        ("bytes=-", 200, 0, SIZE - 1),
        ("bytes=a-b", 200, 0, SIZE - 1),
    ],
)
def test_ranges_are_answered_as_rfc_9110_says(
    released: Updates, header: str, status: int, first: int, last: int
) -> None:
    """206 and what was asked, clamped; 416 when nothing of it is there; the whole file for what is no single range."""
    whole = payload_of(released, "")[1]
    told = {200: "", 206: f"bytes {first}-{last}/{SIZE}", 416: f"bytes */{SIZE}"}[status]
    assert payload_of(released, header) == (status, whole[first : last + 1], told)


@given(st.integers(1, 40), st.one_of(st.none(), st.integers(0, 60)), st.one_of(st.none(), st.integers(0, 60)))
def test_a_span_is_the_bytes_that_were_named(size: int, first: int | None, last: int | None) -> None:
    """Against the set of byte positions that RFC 9110 gives the header."""
    asked = span(f"bytes={'' if first is None else first}-{'' if last is None else last}", size)
    if (first is None and last is None) or (first is not None and last is not None and last < first):
        assert asked is None
        return
    if first is None:
        assert last is not None
        named = set(range(size)[-last:]) if last else set()
    else:
        named = {place for place in range(size) if place >= first and (last is None or place <= last)}
    assert asked is not None
    assert set(range(*asked)) == named


def test_an_interrupted_download_goes_on(released: Updates) -> None:
    """With the same sink, from where it stopped, with the over-long range that a device sends."""
    found = check(released)
    assert isinstance(found, Offer)
    exchange, sink = updates.download(found, "s")
    sink.write(released.handle(exchange.request, NOW).body[:7001])
    resumed, sink = updates.download(found, "s", sink)
    response = released.handle(resumed.request, NOW)
    assert response.status == 206
    assert response.header("content-range") == f"bytes 7001-{SIZE - 1}/{SIZE}"
    sink.write(response.body)
    resumed.read(response)


def test_what_was_published_and_reported_survives_a_restart(tmp_path: Path) -> None:
    """Release, key, bytes and events; and a payload that was removed since is rebuilt the same."""
    first = service(str(tmp_path / "db"), str(tmp_path / "payloads"))
    first.publish_release("16181.61.0", SIZE, 1.0)
    found = check(first)
    assert isinstance(found, Offer)
    body = fetch(first, found)
    report(first, found.client, updates.UPDATE_COMPLETE, updates.SUCCEEDED)
    (file,) = (tmp_path / "payloads").iterdir()
    assert file.read_bytes() == body
    assert found.url == f"{BASE}/payloads/{file.name}"
    for happened in (lambda: None, file.unlink, lambda: file.write_bytes(b"cut off")):
        happened()
        again = service(str(tmp_path / "db"), str(tmp_path / "payloads"))
        assert check(again) == found
        assert fetch(again, found) == body
        assert again.counts()["updated"] == 1
        assert [path.name for path in (tmp_path / "payloads").iterdir()] == [file.name]


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_whole_payload_is_not_copied_for_each_request(tmp_path: Path, on_disk: bool) -> None:
    """Twenty answers of 4 MiB at once, whole or all but the first byte, take no memory to speak of."""
    at = service(payload_dir=str(tmp_path) if on_disk else "")
    size = 4 << 20
    at.publish_release("16181.61.0", size, 1.0)
    found = check(at)
    assert isinstance(found, Offer)
    sha256 = hashlib.sha256(fetch(at, found)).digest()
    assert sha256 == found.payload.sha256
    tracemalloc.start()
    try:
        asked = [Request("GET", found.url, (("Range", f"bytes={n % 2}-{size - 1}"),)) for n in range(20)]
        kept = [at.handle(request, NOW).body for request in asked]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(body) for body in kept] == [size, size - 1] * 10
    assert peak < 64 * 1024


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/service/update2", 405),
        ("GET", "/payloads/none", 404),
        ("GET", "/payloads/../update_key", 404),
        ("GET", "/", 404),
        ("POST", "/service/update3", 404),
        ("POST", "/service/update2", 400),
    ],
)
def test_what_is_not_served_is_refused(released: Updates, method: str, path: str, status: int) -> None:
    """By status, with one line for a person."""
    response = released.handle(Request(method, BASE + path), NOW)
    assert response.status == status
    assert response.body.count(b"\n") == 1


def test_a_payload_is_only_for_get(released: Updates) -> None:
    """Whoever posts to it is told so."""
    found = check(released)
    assert isinstance(found, Offer)
    assert released.handle(Request("POST", found.url), NOW).status == 405


XML = st.recursive(
    st.just(""),
    lambda inner: st.builds(
        "<{0} {1}>{2}</{0}>".format,
        st.sampled_from(["request", "app", "ping", "updatecheck", "event"]),
        st.sampled_from(
            [
                'protocol="3.0"',
                'appid="&#x10FFFF;"',
                'cohort="1:5:" version="1.2.3"',
                'eventtype="9" errorcode="-1"',
                "",
            ]
        ),
        st.lists(inner, max_size=3).map("".join),
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["GET", "POST", "", "PUT"]),
    st.one_of(st.sampled_from([BASE + "/service/update2", BASE + "/payloads/x", "//", "http://["]), st.text()),
    st.one_of(st.binary(max_size=200), XML.map(lambda inner: f'<request protocol="3.0">{inner}</request>'.encode())),
    st.floats(0, 1e11),
)
def test_no_request_makes_it_raise(released: Updates, method: str, url: str, body: bytes, now: float) -> None:
    """Whatever bytes come it answers, and not with a 5xx."""
    response = released.handle(Request(method, url, (("Range", url),), body), now)
    assert 200 <= response.status < 500


def test_any_range_header_is_answered(released: Updates) -> None:
    """Also digits that are no ASCII, and numbers longer than any file."""
    for header in ("bytes=٠-٩", f"bytes={'9' * 5000}-", "bytes=0-" + "9" * 5000, "\x00", "bytes=²-"):
        assert payload_of(released, header)[0] in (200, 206, 416)
