"""Omaha v3 as a Chromebook speaks it: documents worked out by hand from the facts, lxml as the other reader."""

import base64
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from simulator.protocols import updates
from simulator.protocols.messages import Broken, Refused, Request, Response, Unknown
from simulator.protocols.omaha import NotOmaha
from simulator.protocols.payload import BadUpdate, PayloadFacts
from simulator.protocols.update_answers import NO_UPDATE, AnsweredApp, offer, write_answer
from simulator.protocols.updates import NoUpdate, Offer, UpdateClient

URL = "http://127.0.0.1:8000"
APPID = "{11111111-2222-3333-4444-555555555555}"
REQUEST_ID = "7f3c0f4e-3f0e-4c7b-9a1d-5a1d1c6b0f11"
SESSION_ID = "0b8d0a62-1b1e-4a7e-8a53-3a8a6a2f90d2"
MIDNIGHT = 1_800_000_000.0
TODAY = MIDNIGHT + 3600
TOMORROW = MIDNIGHT + 86400 + 3600
NEW = UpdateClient(appid=APPID, board="emuboard-signed-mp-v4keys", hwid="EMU A1A-B2B", version="16093.68.0")
KNOWN = UpdateClient(
    appid=APPID,
    board="emuboard-signed-mp-v4keys",
    hwid="EMU A1A-B2B",
    version="16093.68.0",
    market_segment="education",
    installdate=6209,
    cohort="1:3:",
    cohortname="emu_stable",
    midnight=MIDNIGHT,
)

# The illustrative check of update_engine's builder: attributes in its order, a blank before each ">" that it leaves.
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<request requestid="7f3c0f4e-3f0e-4c7b-9a1d-5a1d1c6b0f11" sessionid="0b8d0a62-1b1e-4a7e-8a53-3a8a6a2f90d2"'
    ' protocol="3.0" updater="ChromeOSUpdateEngine" updaterversion="0.1.0.0" installsource="scheduler" ismachine="1"'
    ' recoverykeyversion="" >\n'
    '    <os version="Indy" platform="Chrome OS" sp="16093.68.0_x86_64" market_segment="education"></os>\n'
    '    <app appid="{11111111-2222-3333-4444-555555555555}" cohort="1:3:" cohortname="emu_stable"'
    ' version="16093.68.0" track="stable-channel" board="emuboard-signed-mp-v4keys" hardware_class="EMU A1A-B2B"'
    ' delta_okay="true" extended_okay="false" installdate="6209" >\n'
)
TAIL = "    </app>\n</request>\n"

HASH = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<response protocol="3.0" server="prod">
  <daystart elapsed_days="7170" elapsed_seconds="30600"/>
  <app appid="{11111111-2222-3333-4444-555555555555}" cohort="1:3:" cohortname="emu_stable" status="ok">
    <ping status="ok"/>
    <updatecheck status="ok" _eol_date="23498">
      <urls><url codebase="http://cdn.test/emuboard/16181.61.0/stable-channel/"/>
        <url codebase="https://cdn.test/emuboard/16181.61.0/stable-channel/"/></urls>
      <manifest version="16181.61.0">
        <actions>
          <action event="update" run="chromeos_16181.61.0_emuboard_stable-channel_full_mp-v5.bin-x.signed"/>
          <action event="postinstall" ChromeOSVersion="16181.61.0" ChromeVersion="135.0.0.0" IsDeltaPayload="false"
            MaxDaysToScatter="14" MetadataSize="414487" MetadataSignatureRsa="c2ln" sha256="AA=="/>
        </actions>
        <packages><package name="chromeos_16181.61.0_emuboard_stable-channel_full_mp-v5.bin-x.signed" size="29981022"
          hash="AA==" hash_sha256="HASH" fp="1.HASH" required="true"/></packages>
      </manifest>
    </updatecheck>
  </app>
</response>
""".replace("HASH", HASH)


def ask(client: UpdateClient, now: float = TOMORROW, **more: Any) -> Request:
    return updates.check(URL, client, now=now, request_id=REQUEST_ID, session_id=SESSION_ID, **more).request


def read(answer: str | bytes, client: UpdateClient = NEW, status: int = 200) -> Offer | NoUpdate:
    exchange = updates.check(URL, client, now=TODAY, request_id=REQUEST_ID, session_id=SESSION_ID)
    body = answer.encode() if isinstance(answer, str) else answer
    return exchange.read(Response(status, body=body))


def told(kind: int, result: int, errorcode: int = 0) -> str:
    exchange = updates.event(
        URL, KNOWN, kind=kind, result=result, errorcode=errorcode, request_id=REQUEST_ID, session_id=SESSION_ID
    )
    return exchange.request.body.decode()


def test_a_check_is_byte_for_byte_the_illustrative_one() -> None:
    """Attribute order, blanks, line ends, ping of yesterday's device and the policy's prefix."""
    body = '        <ping active="1" a="1" r="1"></ping>\n'
    body += '        <updatecheck targetversionprefix="16181."></updatecheck>\n'
    assert ask(KNOWN, target_version_prefix="16181.").body.decode() == HEAD + body + TAIL


def test_a_check_goes_out_as_update_engine_sends_it() -> None:
    """POST of text/xml, the three headers sorted as its map sorts them, up to ten redirects, no User-Agent."""
    request = ask(KNOWN)
    assert (request.method, request.url, request.redirects) == ("POST", URL + "/service/update2", 10)
    assert request.headers == (
        ("Accept", "*/*"),
        ("X-Goog-Update-AppId", APPID),
        ("X-Goog-Update-Interactivity", "bg"),
        ("X-Goog-Update-Updater", "ChromeOSUpdateEngine-0.1.0.0"),
        ("Content-Type", "text/xml"),
    )


def test_a_person_asking_is_told_apart() -> None:
    """installsource and the interactivity header say so, nothing else changes."""
    request = ask(KNOWN, interactive=True)
    assert request.header("x-goog-update-interactivity") == "fg"
    assert request.body == ask(KNOWN).body.replace(b'"scheduler"', b'"ondemandupdate"')


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h:1", "http://h:1/service/update2"),
        ("http://h:1/", "http://h:1/service/update2"),
        ("http://h:1/update", "http://h:1/update"),
        ("http://h:1/service/update2", "http://h:1/service/update2"),
    ],
)
def test_a_target_with_a_path_is_taken_as_it_is(base: str, url: str) -> None:
    """nebraska answers under /update; a bare base gets the path of Google's server."""
    request = updates.check(base, NEW, now=TODAY, request_id=REQUEST_ID, session_id=SESSION_ID).request
    assert request.url == url


def test_a_new_device_says_so() -> None:
    """Never pinged is -1; a cohort, an install date and a segment that it does not have are left out."""
    client = UpdateClient(appid=APPID, board="b", hwid="h", version="1.2.3", cpu="aarch64", market_segment="")
    body = ask(client).body.decode()
    assert '<ping active="1" a="-1" r="-1"></ping>\n        <updatecheck></updatecheck>\n' in body
    assert 'sp="1.2.3_aarch64"></os>' in body
    assert f'<app appid="{APPID}" version="1.2.3" track="stable-channel" board="b"' in body
    assert 'extended_okay="false" >\n' in body


@pytest.mark.parametrize(
    ("later_s", "ping"),
    [(-90000, None), (-1, None), (0, None), (86399, None), (86400, "1"), (3 * 86400 + 5, "3")],
)
def test_a_ping_counts_whole_days_since_the_servers_midnight(later_s: float, ping: str | None) -> None:
    """None on the same day and when the clock was set back."""
    document = etree.fromstring(ask(KNOWN, MIDNIGHT + later_s).body)
    found = document.find("app/ping")
    assert (found is None) == (ping is None)
    if found is not None:
        assert dict(found.attrib) == {"active": "1", "a": ping, "r": ping}


def test_after_the_reboot_the_check_reports_it() -> None:
    """Event 54 stands inside the same <app>, after the updatecheck, with the version before."""
    body = '        <updatecheck></updatecheck>\n        <event eventtype="54" eventresult="1" previousversion="'
    rebooted = ask(KNOWN, TODAY, previous_version="16000.1.0").body.decode()
    assert rebooted == HEAD + body + '16000.1.0"></event>\n' + TAIL


@pytest.mark.parametrize(
    ("arguments", "element"),
    [
        ((13, 1), '<event eventtype="13" eventresult="1"></event>'),
        ((14, 1), '<event eventtype="14" eventresult="1"></event>'),
        ((3, 1), '<event eventtype="3" eventresult="1"></event>'),
        ((3, 0, 2503), '<event eventtype="3" eventresult="0" errorcode="2503"></event>'),
        ((3, 9, 36), '<event eventtype="3" eventresult="9" errorcode="36"></event>'),
    ],
)
def test_an_event_is_byte_for_byte_as_by_hand(arguments: tuple[int, ...], element: str) -> None:
    """An event request has neither ping nor updatecheck; a success has no error code."""
    assert told(*arguments) == HEAD + f"        {element}\n" + TAIL


TEXT = st.text(st.sampled_from(string.ascii_letters + string.digits + " <>&'\".-:{}"), min_size=1, max_size=20)


@given(TEXT, TEXT, TEXT, TEXT, TEXT)
def test_whatever_a_device_is_called_another_reader_finds_it(appid: str, board: str, hwid: str, v: str, c: str) -> None:
    """Attribute text is escaped so that lxml gives back what went in, and so does our own server's side."""
    client = UpdateClient(appid=appid, board=board, hwid=hwid, version=v, cohort=c, cohortname=c, cohorthint=c)
    body = ask(client, target_version_prefix=v).body
    app = etree.fromstring(body).find("app")
    assert app is not None
    names = ("appid", "board", "hardware_class", "version", "cohort", "cohortname", "cohorthint")
    assert [app.get(name) for name in names] == [appid, board, hwid, v, c, c, c]
    session_id, (asked,) = updates.read_request(body)
    assert session_id == SESSION_ID
    assert (asked.appid, asked.board, asked.version, asked.cohort, asked.prefix) == (appid, board, v, c, v)
    assert (asked.pings, asked.checks, asked.events) == (True, True, [])


def test_text_outside_ascii_falls_back() -> None:
    """The builder's defaults: 0.0.0.0 for a version, nothing for the rest; a cohort like that is left out."""
    client = UpdateClient(appid=APPID, board="板", hwid="機", version="版", cohort="組", cohortname="x" * 1025)
    app = etree.fromstring(ask(client).body).find("app")
    assert app is not None
    assert (app.get("board"), app.get("hardware_class"), app.get("version")) == ("", "", "0.0.0.0")
    assert app.get("cohort") is None
    assert app.get("cohortname") is None


def test_the_illustrative_answer_is_understood() -> None:
    """The first codebase and the package's name make the address; the rest is what the download is judged by."""
    found = read(ANSWER)
    assert isinstance(found, Offer)
    assert found.version == "16181.61.0"
    base = "http://cdn.test/emuboard/16181.61.0/stable-channel/"
    assert found.url == base + "chromeos_16181.61.0_emuboard_stable-channel_full_mp-v5.bin-x.signed"
    assert found.payload == PayloadFacts(29981022, bytes.fromhex(HASH), 414487, "c2ln", "")
    assert (found.client.cohort, found.client.cohortname, found.client.cohorthint) == ("1:3:", "emu_stable", "")
    assert found.client.midnight == TODAY - 30600
    assert found.client.version == NEW.version


def test_no_update_is_understood() -> None:
    """With what is to be remembered, and also when the offer is only an update to itself."""
    found = read(f'<response><app appid="{APPID}"><updatecheck status="noupdate"/></app></response>', KNOWN)
    assert found == NoUpdate(KNOWN, 0)
    assert isinstance(read(ANSWER.replace('event="postinstall"', 'event="postinstall" noupdate="true"')), NoUpdate)


@pytest.mark.parametrize(
    ("sent", "s"),
    [("", 0), ("0", 0), ("-5", 0), ("soon", 0), ("1", 2700), ("2700", 2700), ("5000", 5000), ("99999", 14400)],
)
def test_the_poll_interval_is_clamped(sent: str, s: int) -> None:
    """To 45 minutes .. 4 hours; what is no positive number is no wish."""
    assert read(ANSWER.replace("_eol_date", f'PollInterval="{sent}" _eol_date')).poll_s == s


def test_cohorts_are_kept_stored_and_deleted() -> None:
    """Absent: keep; present: store; present and empty: delete. It is echoed in the next check."""
    empty = read(ANSWER.replace('cohort="1:3:"', 'cohort=""').replace('cohortname="emu_stable"', ""), KNOWN).client
    assert (empty.cohort, empty.cohortname) == ("", "emu_stable")
    assert ' cohortname="emu_stable" version=' in ask(empty).body.decode()
    hinted = read(ANSWER.replace('cohort="1:3:"', 'cohorthint="a&amp;b"'), KNOWN).client
    assert ' cohort="1:3:" cohortname="emu_stable" cohorthint="a&amp;b" version=' in ask(hinted).body.decode()


def test_the_server_can_turn_the_market_segment_off() -> None:
    """_disable_dms="true": it is sent no more."""
    client = read(ANSWER.replace("_eol_date", '_disable_dms="true" _eol_date'), KNOWN).client
    assert "market_segment" not in ask(client).body.decode()


@pytest.mark.parametrize("sent", ["", "-1", "x", "9" * 19])
def test_a_daystart_that_is_no_number_changes_nothing(sent: str) -> None:
    """The last midnight stays."""
    assert read(ANSWER.replace('"30600"', f'"{sent}"'), KNOWN).client.midnight == MIDNIGHT


ENTITY = '<!DOCTYPE r [<!ENTITY e "x">]>'
BAD = [
    ("empty body", "", "undecodable", 30),
    ("no XML", "<response>", "undecodable", 31),
    ("junk behind", ANSWER + "x", "undecodable", 31),
    ("unknown encoding", '<?xml version="1.0" encoding="x-y"?><response/>', "undecodable", 31),
    ("multi-byte encoding", '<?xml version="1.0" encoding="shift_jis"?><response/>', "undecodable", 31),
    ("entity", ANSWER.replace("?>\n", "?>\n" + ENTITY), "undecodable", 46),
    ("parameter entity", ANSWER.replace("?>\n", "?>\n" + ENTITY.replace("e ", "% e ", 1)), "undecodable", 46),
    ("no app", "<response/>", "missing_part", 34),
    ("no updatecheck", "<response><app/></response>", "bad_value", 34),
    ("error status", ANSWER.replace('updatecheck status="ok"', 'updatecheck status="error-internal"'), "bad_value", 34),
    ("no postinstall", ANSWER.replace('"postinstall"', '"other"'), "missing_part", 34),
    ("no version", ANSWER.replace('manifest version="16181.61.0"', "manifest"), "missing_part", 34),
    ("no url", ANSWER.replace("<url ", "<other "), "missing_part", 34),
    ("no package", ANSWER.replace("<package ", "<other "), "missing_part", 34),
    ("no name", ANSWER.replace("<package name", "<package other"), "bad_value", 34),
    ("size zero", ANSWER.replace('"29981022"', '"0"'), "bad_value", 34),
    ("size no number", ANSWER.replace('"29981022"', '"many"'), "bad_value", 34),
    ("short hash", ANSWER.replace(f'hash_sha256="{HASH}"', 'hash_sha256="00"'), "bad_value", 34),
    ("hash with blanks", ANSWER.replace(f'hash_sha256="{HASH}"', f'hash_sha256="{HASH[:-2]}  "'), "bad_value", 34),
    ("blanks in the hash", ANSWER.replace(f'hash_sha256="{HASH}"', f'hash_sha256="{HASH}  "'), "bad_value", 34),
    ("hash no hex", ANSWER.replace(f'hash_sha256="{HASH}"', f'hash_sha256="{"x" * 64}"'), "bad_value", 34),
    ("not the web", ANSWER.replace("http://", "file://").replace("https://", "ftp://"), "bad_value", 34),
    ("no host", ANSWER.replace("cdn.test", ""), "bad_value", 34),
    ("no port", ANSWER.replace("cdn.test", "cdn.test:99999"), "bad_value", 34),
    ("a blank in the address", ANSWER.replace("cdn.test/", "cdn.test/ "), "bad_value", 34),
]


@pytest.mark.parametrize(("answer", "reason", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_an_answer_that_a_device_turns_down(answer: str, reason: str, code: int) -> None:
    """Each has the reason of our record and the error code that the device reports."""
    with pytest.raises(BadUpdate) as caught:
        read(answer)
    assert (caught.value.reason, updates.check_errorcode(caught.value)) == (reason, code)


def test_the_platforms_own_app_decides() -> None:
    """Wherever it stands; the first one does where the server left it out."""
    other = '<app appid="{B}"><updatecheck status="noupdate"/></app>'
    assert isinstance(read(ANSWER.replace("<daystart", other + "<daystart")), Offer)
    assert isinstance(read(ANSWER.replace("</response>", other + "</response>")), Offer)
    left_out = ANSWER.replace(APPID, "{C}")
    assert isinstance(read(left_out.replace("<daystart", other + "<daystart")), NoUpdate)
    assert isinstance(read(left_out.replace("</response>", other + "</response>")), Offer)


def test_the_first_usable_codebase_is_taken() -> None:
    """An address that cannot be one is passed over."""
    found = read(ANSWER.replace("http://cdn.test", "ftp://cdn.test", 1))
    assert isinstance(found, Offer)
    assert found.url.startswith("https://cdn.test/")


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(503, Refused, 2503), (404, Refused, 2404), (500, Broken, 2500), (302, Refused, 2302), (1000, Broken, 2999)],
)
def test_an_http_error_is_reported_as_2000_and_its_status(status: int, kind: type[Refused], code: int) -> None:
    """So the server gets a second request, the event, for each check that it refused."""
    with pytest.raises(kind) as caught:
        read(ANSWER, status=status)
    assert updates.check_errorcode(caught.value) == code


def test_no_answer_at_all_has_codes_too() -> None:
    """2000 for a check, 9 for a download whatever happened to it, and a payload's own code."""
    assert updates.check_errorcode(Unknown("timeout")) == 2000
    assert updates.download_errorcode(Unknown("timeout")) == 9
    assert updates.download_errorcode(Refused("http_status", status=503)) == 9
    assert updates.download_errorcode(BadUpdate("hash_mismatch", 29, "")) == 29


def test_any_2xx_is_an_answer_and_an_event_needs_no_content() -> None:
    """A 201 with an offer is an offer; an event's answer is not parsed, only its status is judged."""
    assert isinstance(read(ANSWER, status=201), Offer)
    exchange = updates.event(URL, NEW, kind=3, result=1, request_id=REQUEST_ID, session_id=SESSION_ID)
    exchange.read(Response(200, body=b"<junk"))
    with pytest.raises(Refused):
        exchange.read(Response(503))


def test_a_download_asks_for_the_whole_range_and_judges_what_came() -> None:
    """Range 0 to size - 1 and the session; a refusal is one, and nothing at all is a size mismatch."""
    found = read(ANSWER)
    assert isinstance(found, Offer)
    exchange, sink = updates.download(found, SESSION_ID)
    assert exchange.request.headers == (
        ("Range", "bytes=0-29981021"),
        ("Accept", "*/*"),
        ("X-Goog-SessionId", SESSION_ID),
    )
    assert (exchange.request.method, exchange.request.url) == ("GET", found.url)
    with pytest.raises(Refused):
        exchange.read(Response(416))
    with pytest.raises(BadUpdate) as caught:
        exchange.read(Response(206))
    assert caught.value.errorcode == 11
    sink.write(bytes(1000))
    resumed, same = updates.download(found, SESSION_ID, sink)
    assert same is sink
    assert resumed.request.header("range") == "bytes=1000-29982021"  # as long as at first, so its end is beyond


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_turned_down(body: bytes) -> None:
    """By the device with BadUpdate, by the server's side with NotOmaha, and with nothing else."""
    with pytest.raises(BadUpdate):
        read(body)
    with pytest.raises(NotOmaha):
        updates.read_request(body)


@given(st.data())
def test_a_mangled_answer_raises_nothing_else(data: st.DataObject) -> None:
    """Bytes of a good answer cut out, doubled or replaced: understood, or BadUpdate."""
    body = ANSWER.encode()
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    body = (
        body[:start] + data.draw(st.sampled_from([b"", body[start:end] * 2, b'"', b"<", b"&#9;", b"-1"])) + body[end:]
    )
    try:
        found = read(body)
    except BadUpdate:
        return
    assert isinstance(found, Offer | NoUpdate)


def test_a_written_answer_is_found_by_another_reader() -> None:
    """Path, attributes and daystart, for an offer, a ping, two events and an app that has no news."""
    payload = PayloadFacts(4096, bytes.fromhex(HASH), 300, "c2ln", "a2V5")
    check = offer("16181.61.0", "http://h/payloads/", "a&b", payload)
    apps = [
        AnsweredApp(APPID, cohort="1:7:", cohortname="emu_stable", pinged=True, events=2, check=check),
        AnsweredApp("<dlc>", check=NO_UPDATE),
    ]
    # 2018-03-10 17:21:39 in Los Angeles: the day and second of update_engine's own sample answer
    body = write_answer(1520731299.9, apps)
    root = etree.fromstring(body)
    assert root.get("protocol") == "3.0"
    daystart = root.find("daystart")
    assert daystart is not None
    assert dict(daystart.attrib) == {"elapsed_days": "4086", "elapsed_seconds": "62499"}
    first, second = root.findall("app")
    assert dict(first.attrib) == {"appid": APPID, "cohort": "1:7:", "cohortname": "emu_stable", "status": "ok"}
    assert [child.tag for child in first] == ["ping", "event", "event", "updatecheck"]
    package = first.find("updatecheck/manifest/packages/package")
    assert package is not None
    assert (package.get("name"), package.get("size"), package.get("fp")) == ("a&b", "4096", "1." + HASH)
    postinstall = first.findall("updatecheck/manifest/actions/action")[1]
    assert base64.b64decode(postinstall.get("sha256", "")) == bytes.fromhex(HASH)
    assert (second.get("appid"), second.get("cohort")) == ("<dlc>", None)
    assert read(body) == Offer(
        UpdateClient(
            **{name: getattr(NEW, name) for name in ("appid", "board", "hwid", "version")},
            cohort="1:7:",
            cohortname="emu_stable",
            midnight=TODAY - 62499,
        ),
        0,
        "16181.61.0",
        "http://h/payloads/a&b",
        payload,
    )


def test_a_request_of_several_apps_is_read() -> None:
    """Platform and MiniOS, an event next to an updatecheck, numbers that are none."""
    body = """<request protocol="3.0" sessionid="s"><os/>
      <app appid="{A}" version="1.2.3"><ping/><updatecheck targetversionprefix="1."/>
        <event eventtype="54" eventresult="1"/></app>
      <app appid="{A}_minios"><event eventtype="3" eventresult="0" errorcode="-2147481145"/>
        <event eventtype="x" eventresult="99999999999"/></app></request>"""
    session_id, (platform, minios) = updates.read_request(body.encode())
    assert (session_id, platform.appid, platform.prefix) == ("s", "{A}", "1.")
    assert (platform.pings, platform.checks, platform.events) == (True, True, [(54, 1, 0)])
    assert (minios.pings, minios.checks) == (False, False)
    assert minios.events == [(3, 0, -2147481145), (0, 0, 0)]


@pytest.mark.parametrize("body", ['<request protocol="2.0"><app/></request>', '<request protocol="3.0"/>', "<r/>"])
def test_another_protocol_is_no_omaha_request(body: str) -> None:
    """Neither version 2 nor a request about nothing."""
    with pytest.raises(NotOmaha):
        updates.read_request(body.encode())
