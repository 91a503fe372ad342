"""The management service against a real client: an unmodified Chromium enrolls, and accepts and does what we say.

Acceptance is shown from both sides: by what the browser tells the server, and by what it shows its user.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from chromium_bench import Backend, Browser, needs_chromium, stays_away, until
from chromium_proxy import Proxy, Said
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.unknown_fields import UnknownFieldSet

from simulator.protocols import management_pb2 as pb

pytestmark = needs_chromium
SHA1, SHA256 = pb.PolicyFetchRequest.SHA1_RSA, pb.PolicyFetchRequest.SHA256_RSA
HOMEPAGE = "https://policy-from-fleetrush.example/home"
SMALL = Path(__file__).parents[2] / "data/scenarios/small.toml"


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """The stand-in as a user starts it, with robot accounts, and a policy that makes browsers report."""
    folder = tmp_path_factory.mktemp("backend")
    scenario = folder / "browsers.toml"
    scenario.write_text(SMALL.read_text() + "\n[backend]\nrobot_accounts = true\n")
    started = Backend(folder / "data", str(scenario))
    started.operate(
        "publish_policy", policy="user", value={"CloudReportingEnabled": True, "HomepageLocation": HOMEPAGE}
    )
    yield started
    assert started.state()["backend"]["internal_errors"] == 0
    started.close()


@pytest.fixture(scope="module")
def proxy(backend: Backend) -> Iterator[Proxy]:
    """Between the browsers and the stand-in."""
    made = Proxy(backend.urls["management"])
    yield made
    made.close()


def extension(folder: Path) -> str:
    """An unpacked extension that a policy may set the colour of. Returns: its id, which follows from its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    manifest = {
        "manifest_version": 3,
        "name": "Colours",
        "version": "1",
        "key": b64encode(der).decode(),
        "permissions": ["storage"],
        "storage": {"managed_schema": "schema.json"},
    }
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    schema = {"type": "object", "properties": {"Colour": {"type": "string"}}}
    (folder / "schema.json").write_text(json.dumps(schema))
    return "".join(chr(ord("a") + int(digit, 16)) for digit in hashlib.sha256(der).hexdigest()[:32])


@pytest.fixture(scope="module")
def browser(backend: Backend, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that has enrolled and sent its first report, with an extension, and Google's addresses at the proxy."""
    folder = tmp_path_factory.mktemp("browser")
    extension_id = extension(folder / "extension")
    colour = {"Colour": {"Value": "blue"}}
    backend.operate("publish_extension_policy", policy="browser", extension_id=extension_id, value=colour)
    started = Browser(
        *(folder / "machine", proxy, backend.urls["enrollment"], f"--load-extension={folder}/extension"),
        *(f"--google-apis-url={proxy.url}", f"--gaia-url={proxy.url}", f"--google-url={proxy.url}"),
        *(f"--gcm-checkin-url={proxy.url}/gcm/checkin", f"--gcm-registration-url={proxy.url}/gcm/register3"),
        f"--gcm-mcs-endpoint={proxy.url}",
    )
    started.start()
    try:
        until(lambda: started.said("chrome_desktop_report"), "the browser's report")
        yield started
    finally:
        started.stop()
        print((started.folder / "log").read_text(errors="replace")[-3000:])


def reported_policies(said: Said) -> dict[str, object]:
    """The policies that a report says are in force: name -> value.

    Field 7 of a profile has them: {1: name, 5: value as JSON} (Chromium device_management_backend.proto).
    """
    (profile,) = said.asked.chrome_desktop_report_request.browser_report.chrome_user_profile_infos
    policies = [field.data for field in UnknownFieldSet(profile) if field.field_number == 7]
    parsed = []
    for policy in policies:
        generic = pb.Empty.FromString(policy)
        parsed.append({field.field_number: field.data for field in UnknownFieldSet(generic)})
    return {fields[1].decode(): json.loads(fields[5]) for fields in parsed}


def no_fault_found(browser: Browser) -> bool:
    """Whether the browser had nothing to say against any policy."""
    return not browser.said("policy_validation_report")


def test_it_enrolls_and_reports_the_values_that_we_set(browser: Browser) -> None:
    """Registered, fetched with the current types and SHA-256, found no fault, and reported every value in force."""
    (registered,) = browser.said("register_browser")
    assert registered.status == 200
    first = browser.said("policy")[0]
    assert first.status == 200
    (fetch,) = first.fetches()
    assert (fetch.signature_type, fetch.HasField("public_key_version")) == (SHA256, False)
    assert no_fault_found(browser)
    assert reported_policies(browser.said("chrome_desktop_report")[0]) == {
        "CloudReportingEnabled": True,
        "HomepageLocation": HOMEPAGE,
        "ShowHomeButton": True,
        "BookmarkBarEnabled": True,
    }


def test_it_shows_our_policy_to_its_user(browser: Browser) -> None:
    """chrome://policy: value, source, scope, level and OK of a policy, and of an extension's, which it downloaded."""
    with closing(browser.page()) as page:
        rows = until(lambda: [row for row in page.rows() if row[0] == "Colours"] and page.rows(), "its policies")
        assert ["Chrome Policies", "HomepageLocation", HOMEPAGE, "Cloud", "Machine", "Mandatory", "OK"] in rows
        assert [row for row in rows if row[0] == "Colours"] == [
            ["Colours", "Colour", "blue", "Cloud", "Machine", "Mandatory", "OK"]
        ]
        assert {row[6] for row in rows} == {"OK"}
        assert page.status() == "Policy cache OK"


def test_its_robot_account_and_push_tokens_are_answered(browser: Browser, proxy: Proxy) -> None:
    """The code that we give is exchanged for tokens, and the push tokens that it then gets are taken."""
    uploads = until(lambda: browser.said("fm_registration_token_upload"), "an upload of a push token")
    asked = uploads[0].asked.fm_registration_token_upload_request
    assert (uploads[0].status, asked.token_type) == (200, pb.FmRegistrationTokenUploadRequest.BROWSER)
    assert asked.token == "fleetrush-push-token"
    assert uploads[0].answer.HasField("fm_registration_token_upload_response")
    (authorised,) = browser.said("api_authorization")
    assert authorised.status == 200
    assert authorised.answer.service_api_access_response.auth_code
    assert ("/oauth2/v4/token", 200) in proxy.paths


def test_after_a_restart_the_very_policy_comes_back(browser: Browser) -> None:
    """It registers no more, and its first fetch names the timestamp and key version of the policy it was given."""
    given = pb.PolicyData.FromString(browser.said("policy")[-1].blobs()[0].policy_data)
    browser.stop()
    browser.start()
    said = until(lambda: browser.said("policy"), "a fetch after the restart")[0]
    (fetch,) = said.fetches()
    assert (fetch.timestamp, fetch.public_key_version) == (given.timestamp, given.public_key_version) != (0, 0)
    assert browser.said("register_browser") == []
    assert not said.blobs()[0].HasField("new_public_key")
    assert no_fault_found(browser)


def test_a_signed_command_is_carried_out(backend: Backend, browser: Browser) -> None:
    """BROWSER_CLEAR_BROWSING_DATA, queued while it was closed: executed, and its success handed in under its id."""
    browser.stop()
    order = {"profile_path": str(browser.profile / "Default"), "clear_cache": True, "clear_cookies": True}
    told = {"type": "BROWSER_CLEAR_BROWSING_DATA", "command": json.dumps(order)}
    assert backend.operate("queue_command", device_id=browser.device_id, **told)["queued"] == 1
    browser.start()

    def handed_in() -> Said | None:
        said = browser.said("remote_commands")
        return next((one for one in said if one.asked.remote_command_request.command_results), None)

    (result,) = until(handed_in, "the result of the command").asked.remote_command_request.command_results
    assert result.result == pb.RemoteCommandResult.RESULT_SUCCESS
    assert json.loads(result.payload) == {"failed_data_types": []}
    (signed,) = browser.said("remote_commands")[0].answer.remote_command_response.secure_commands
    data = pb.PolicyData.FromString(signed.data)
    assert result.command_id == pb.RemoteCommand.FromString(data.policy_value).command_id
    assert backend.state()["management"]["command_results"] == 1


def test_sha1_is_asked_for_and_accepted(backend: Backend, proxy: Proxy, tmp_path: Path) -> None:
    """A browser without SHA-256 for policies gets SHA-1, says nothing against it, and reports its policies."""
    browser = Browser(
        tmp_path / "machine", proxy, backend.urls["enrollment"], "--disable-features=PolicyFetchWithSha256"
    )
    browser.start()
    try:
        until(lambda: browser.said("chrome_desktop_report"), "the browser's report")
    finally:
        browser.stop()
    said = browser.said("policy")[0]
    assert [fetch.signature_type for fetch in said.fetches()] == [SHA1]
    assert [blob.policy_data_signature_type for blob in said.blobs()] == [SHA1]
    assert no_fault_found(browser)


def test_a_new_key_is_accepted_from_the_one_before(backend: Backend, browser: Browser) -> None:
    """Rotation from key 1 to 2, both imported: it takes the new one, and names it in the fetch after that."""
    assert backend.operate("rotate_key") == {"key_version": 2}

    def signed_with(known: int) -> pb.PolicyFetchResponse | None:
        """What a fetch that named this key version was given."""
        blobs = [said.blobs() for said in browser.said("policy") if said.fetches()[0].public_key_version == known]
        return blobs[-1][0] if blobs and blobs[-1] else None

    with closing(browser.page()) as page:
        page.reload()
        blob = until(lambda: (one := signed_with(1)) and one.HasField("new_public_key_signature") and one, "a new key")
        assert pb.PolicyData.FromString(blob.policy_data).public_key_version == 2
        until(lambda: page.reload() or signed_with(2), "a fetch that names the new key")
    assert no_fault_found(browser)


def refetch(browser: Browser, status: int) -> Said:
    """Have it fetch its policies. Returns: the fetch that got this status."""
    with closing(browser.page()) as page:
        page.reload()
        return until(lambda: [said for said in browser.said("policy") if said.status == status], f"a {status}")[0]


def test_deleted_with_its_token_it_enrolls_again(backend: Backend, browser: Browser) -> None:
    """410 that tells it to delete its DM token: it does, and at its next start it registers."""
    assert backend.operate("delete_device", device_id=browser.device_id, error_detail="delete_token") == {"deleted": 1}
    assert refetch(browser, 410).answer.error_detail == [pb.CBCM_DELETION_POLICY_PREFERENCE_DELETE_TOKEN]
    until(lambda: not browser.token_file, "the end of its DM token")
    browser.stop()
    browser.start()
    (registered,) = until(lambda: browser.said("register_browser"), "a registration")
    assert registered.status == 200
    until(lambda: browser.token_file, "its DM token")
    until(lambda: [said for said in browser.said("policy") if said.status == 200], "a fetch of its policies")


def test_deleted_without_a_word_it_stays_away(backend: Backend, browser: Browser) -> None:
    """410 alone: it marks its DM token as worth nothing, and at its next start neither registers nor asks."""
    assert backend.operate("delete_device", device_id=browser.device_id) == {"deleted": 1}
    assert not refetch(browser, 410).answer.error_detail
    until(lambda: browser.token_file == "INVALID_DM_TOKEN", "the mark")
    browser.stop()
    browser.start()
    with closing(browser.page()):
        # A browser without a token registers within two seconds of its start, also on a busy machine.
        assert stays_away(lambda: browser.said("register_browser") + browser.said("policy"), 6)
