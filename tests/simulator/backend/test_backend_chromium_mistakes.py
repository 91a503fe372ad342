"""What a real client says of a management service that makes mistakes: each is told by its very reason, none passes.

One browser meets them all, one after the other: while it has accepted no policy, and after it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from chromium_bench import Backend, Browser, PolicyPage, needs_chromium, until
from chromium_proxy import MACHINE_USER, Proxy

from simulator.protocols import management_pb2 as pb

pytestmark = needs_chromium
Result = pb.PolicyValidationReportRequest.ValidationResultType
# Made in the first policy, and in one that is to replace another (policy facts of Chromium 156, and by observation).
AT_FIRST = {
    "bad_signature": "BAD_INITIAL_SIGNATURE",
    "no_signature_type": "BAD_INITIAL_SIGNATURE",
    "bad_key_signature": "BAD_KEY_VERIFICATION_SIGNATURE",
    "wrong_domain": "BAD_KEY_VERIFICATION_SIGNATURE",
    "wrong_device_id": "BAD_DEVICE_ID",
    "wrong_dm_token": "BAD_DM_TOKEN",
    "undecodable_value": "POLICY_PARSE_ERROR",
}
LATER = {
    "older_timestamp": "BAD_TIMESTAMP",
    "wrong_device_id": "BAD_DEVICE_ID",
    "wrong_dm_token": "BAD_DM_TOKEN",
}


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """The stand-in as a user starts it."""
    started = Backend(tmp_path_factory.mktemp("backend"))
    yield started
    assert started.state()["backend"]["internal_errors"] == 0
    started.close()


@pytest.fixture(scope="module")
def proxy(backend: Backend) -> Iterator[Proxy]:
    """Between the browsers and the stand-in."""
    made = Proxy(backend.urls["management"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser(backend: Backend, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that is registered, and whose first policies were wrong."""
    spoil(backend, "bad_signature")
    started = Browser(tmp_path_factory.mktemp("browser") / "machine", proxy, backend.urls["enrollment"])
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[PolicyPage]:
    """Its chrome://policy."""
    until(lambda: browser.said("policy_validation_report"), "the first report")
    with closing(browser.page()) as opened:
        yield opened


def spoil(backend: Backend, mistake: str) -> None:
    """Let every policy for browsers have this mistake, and no other."""
    backend.operate("clear_faults")
    told = {"where": "management", "kind": "wrong_policy", "mistake": mistake}
    backend.operate("inject_fault", **told, policy_type=MACHINE_USER)


def results(browser: Browser) -> list[str]:
    """What its validation reports say, in order; each was answered."""
    said = browser.said("policy_validation_report")
    assert {one.status for one in said} <= {200}
    reports = [one.asked.policy_validation_report_request for one in said]
    assert {report.policy_type for report in reports} <= {MACHINE_USER}
    names = [Result.Name(report.validation_result_type) for report in reports]
    return [name.removeprefix("VALIDATION_RESULT_TYPE_") for name in names]


def meet(backend: Backend, browser: Browser, page: PolicyPage, mistake: str) -> str:
    """Fetch a policy with a mistake. Returns: what the browser reports of it."""
    before = len(results(browser))
    spoil(backend, mistake)
    page.reload()
    return until(lambda: results(browser)[before:], "a report")[0]


@pytest.mark.parametrize(("mistake", "result"), AT_FIRST.items())
def test_a_wrong_first_policy_is_turned_down(
    backend: Backend, browser: Browser, page: PolicyPage, mistake: str, result: str
) -> None:
    """It says why, the stand-in keeps that, and it goes on without a policy."""
    assert meet(backend, browser, page, mistake) == result
    kept = backend.report("policy_validation_report", browser.device_id)
    assert kept is not None
    assert Result.Name(kept[0].policy_validation_report_request.validation_result_type).endswith(result)
    assert page.rows() == []


def test_what_it_did_not_ask_for_is_passed_over(backend: Backend, browser: Browser, page: PolicyPage) -> None:
    """A policy of another type, or with an error code, is taken for none; the right one after it is accepted."""
    before = results(browser)
    for mistake in ("wrong_policy_type", "error_code"):
        asked = len(browser.said("policy"))
        spoil(backend, mistake)
        page.reload()
        until(lambda seen=asked: browser.said("policy")[seen:], "the fetch")
    assert page.rows() == []
    backend.operate("clear_faults")
    page.reload()
    until(page.rows, "the policies that are right")
    assert results(browser) == before


@pytest.mark.parametrize(("mistake", "result"), LATER.items())
def test_a_wrong_later_policy_is_turned_down(
    backend: Backend, browser: Browser, page: PolicyPage, mistake: str, result: str
) -> None:
    """It says why and keeps the policy that it has: what was published since is not in force, fetches name the old."""
    home = f"https://{mistake.replace('_', '-')}.example/"
    rows = page.rows()
    backend.operate("publish_policy", policy="user", value={"HomepageLocation": home})
    assert meet(backend, browser, page, mistake) == result
    assert page.rows() == rows
    (fetch,) = browser.said("policy")[-1].fetches()
    assert fetch.public_key_version == 1


def test_a_new_key_that_the_old_did_not_sign_makes_it_start_afresh(
    backend: Backend, browser: Browser, page: PolicyPage
) -> None:
    """It reports BAD_SIGNATURE, gives its key up and fetches as at first: then the key needs no other's word."""
    home = "https://afresh.example/"
    backend.operate("publish_policy", policy="user", value={"HomepageLocation": home})
    assert meet(backend, browser, page, "bad_new_key_signature") == "BAD_SIGNATURE"
    until(lambda: home in [row[2] for row in page.rows()], "the policy, with a first key")
    assert not browser.said("policy")[-1].fetches()[0].HasField("public_key_version")


def test_a_bad_signature_is_found_with_a_first_key_too(backend: Backend, browser: Browser, page: PolicyPage) -> None:
    """It gives its key up and fetches again; the signature is no better then."""
    before = len(results(browser))
    backend.operate("publish_policy", policy="user", value={"HomepageLocation": "https://never.example/"})
    assert meet(backend, browser, page, "bad_signature") == "BAD_SIGNATURE"
    until(lambda: len(results(browser)) >= before + 2, "a second report")
    assert results(browser)[before:][:2] == ["BAD_SIGNATURE", "BAD_INITIAL_SIGNATURE"]
    assert "https://never.example/" not in [row[2] for row in page.rows()]
