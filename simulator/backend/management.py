"""The device management service: a server for enrollment, policy, push tokens, remote commands and reports.

It plays DMServer for as much as a fleet of managed Chromebooks asks of it, by the rules of Chromium's own test server
(components/policy/test_support). What each part remembers is in the modules beside; here is who is asked for what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simulator.backend.management_calls import Call, Refusal, answered, good_text, read_call, refused
from simulator.backend.management_clients import BROWSER, DEVICE, USER, Client, Clients
from simulator.backend.management_commands import Commands
from simulator.backend.management_enrollment import Enrollment
from simulator.backend.management_keys import PolicyKeys
from simulator.backend.management_policies import POLICY_OF, Policies
from simulator.backend.management_terms import Terms
from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols import push
from simulator.protocols.messages import Push, Request, Response
from simulator.protocols.policy import SHA1_RSA, SHA256_RSA

SCHEMA = """
CREATE TABLE IF NOT EXISTS management_reports (
    client INTEGER NOT NULL REFERENCES management_clients ON DELETE CASCADE,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,           -- the latest one, as it came
    received_ms INTEGER NOT NULL,
    received INTEGER NOT NULL,    -- how many so far
    PRIMARY KEY (client, kind)
) WITHOUT ROWID;
"""

# Chromium invalidation_listener.h: what a push of a policy change is called.
_NEWS_OF = {DEVICE: push.DEVICE_POLICY, USER: push.USER_POLICY, BROWSER: "BROWSER_POLICY_FETCH"}

# Reports: kept as they come. `request` parameter -> the part of the request, the part of the answer.
REPORTS: Mapping[str, tuple[str, str]] = {
    "policy_validation_report": ("policy_validation_report_request", "policy_validation_report_response"),
    "chrome_os_user_report": ("chrome_os_user_report_request", "chrome_os_user_report_response"),
    "chrome_desktop_report": ("chrome_desktop_report_request", "chrome_desktop_report_response"),
    "chrome_profile_report": ("chrome_profile_report_request", "chrome_profile_report_response"),
    "app_install_report": ("app_install_report_request", "app_install_report_response"),
    "upload_euicc_info": ("upload_euicc_info_request", "upload_euicc_info_response"),
    "cert_upload": ("cert_upload_request", "cert_upload_response"),
    "gcm_id_update": ("gcm_id_update_request", "gcm_id_update_response"),
    "browser_public_key_upload": ("browser_public_key_upload_request", "browser_public_key_upload_response"),
    "public_saml_user_request": ("public_saml_user_request", "public_saml_user_response"),
}
_STATUS_PARTS = {
    "device_status_report_request": "device_status_report_response",
    "session_status_report_request": "session_status_report_response",
    "child_status_report_request": "child_status_report_response",
}

Answer = pb.DeviceManagementResponse


class Management:
    """The service.

    Args:
        store: its memory. settings: public addresses and the domain. chance: of tokens and secrets.
        outbox: where pushes are put, to be sent once the answer is committed.
        who_is: whose access token this is (token, Unix seconds): the user's e-mail address, None for a bad one.

    Attributes:
        verification_key_der: by which clients check that a policy key is this domain's.
        enrollment_token: for requests that enroll with one.
        attestation_secret: of the simulated authority that certifies machines.
        terms: on which devices are enrolled.
    """

    def __init__(
        self,
        store: Store,
        settings: BackendSettings,
        chance: Chance,
        outbox: list[Push],
        *,
        who_is: Callable[[str, float], str | None],
    ) -> None:
        self._store, self._outbox = store, outbox
        self._clients = Clients(store, chance)
        self._keys = PolicyKeys(store, settings.domain)
        self._policies = Policies(store, self._keys, settings.domain)
        self._commands = Commands(store, self._keys)
        store.ensure(SCHEMA)
        self.verification_key_der = self._keys.verification_key
        self.enrollment_token = self._clients.enrollment_token
        self.attestation_secret = self._clients.attestation_secret
        self.terms = Terms(store, settings)
        enrollment = Enrollment(self._clients, self.terms, settings.domain, self._policies.affiliation_id, who_is)
        self.kinds: dict[str, Callable[[Call], Answer]] = {
            **enrollment.kinds,
            **dict.fromkeys(REPORTS, self._report),
            "policy": self._policy,
            "status_upload": self._status_upload,
            "remote_commands": self._remote_commands,
            "api_authorization": self._api_authorization,
            "fm_registration_token_upload": self._push_token,
        }

    def handle(self, request: Request, now: float) -> Response:
        """Answer one request; `now` in Unix seconds. Raises nothing, whatever bytes come."""
        try:
            call = read_call(request, int(now * 1000))
            answer = self.kinds.get(call.kind)
            if answer is None:
                raise Refusal(400, f"unknown request {call.kind[:100]!r}")
            return answered(answer(call))
        except Refusal as refusal:
            return refused(refusal)

    # ------------------------------------------------------------------------------------------- what the operator does

    def publish(self, kind: str, changes: Mapping[str, Any], now: float, *, payload: str = "") -> int:
        """Set some named policies, and tell every client of that kind that listens.

        Args:
            kind: "device" or "user". changes: see management_values.payload_of. now: Unix seconds.
            payload: what the pushes carry; never nothing, for that makes a client wait five minutes more.
        Returns: the timestamp of the policy, Unix milliseconds: applied is what has this one or a later one. It is a
            new one even where nothing changes, so that a fleet that is kept meets the same act on every day.
        Raises: ValueError: there is no such kind, policy or value.
        """
        now_ms = int(now * 1000)
        published_ms = self._policies.publish(kind, changes, now_ms, self._clients.last_changed_ms())
        for client_kind, policy_kind in POLICY_OF.items():
            if policy_kind == kind:
                self._tell(client_kind, None, _NEWS_OF[client_kind], published_ms, payload)
        return published_ms

    def disable(self, device_id: str | None, message: str | None, now: float) -> int:
        """Lock one device (or all: None) by policy, with a message for whoever holds it; message None unlocks.

        Returns: how many devices that changed.
        """
        changed_ms = self._policies.moment_ms(int(now * 1000), self._clients.last_changed_ms())
        changed = self._clients.disable(device_id, message, changed_ms)
        if changed:
            self._tell(DEVICE, device_id, push.DEVICE_POLICY, changed_ms, "")
        return changed

    def queue_command(self, device_id: str | None, kind: str, payload: str, now: float) -> int:
        """Queue a remote command for one device (or all: None), and tell those that listen.

        Args:
            kind: a name of RemoteCommand.Type, such as "DEVICE_REBOOT". payload: JSON, or empty.
        Returns: for how many devices.
        Raises: ValueError: there is no such command.
        """
        now_ms = int(now * 1000)
        queued = self._commands.queue(device_id, kind, payload, now_ms)
        if queued:
            self._tell(DEVICE, device_id, push.DEVICE_COMMAND, now_ms, "")
        return queued

    def rotate_key(self) -> int:
        """Sign with a new policy key from now on. Returns: its version."""
        return self._keys.rotate()

    def counts(self) -> dict[str, int]:
        """What there is, by name; policies_signed counts since the start, all else since the database was made."""
        reports = self._store.all("SELECT kind, sum(received) AS n FROM management_reports GROUP BY kind")
        received = {row["kind"]: row["n"] for row in reports}
        return {
            "devices": self._clients.count(DEVICE),
            "users": self._clients.count(USER),
            "browsers": self._clients.count(BROWSER),
            "key_version": self._keys.version,
            "policies_signed": self._policies.signed,
            "status_reports": received.pop("status_upload", 0),
            "validation_reports": received.pop("policy_validation_report", 0),
            "other_reports": sum(received.values()),
            **self._commands.counts(),
        }

    def _tell(self, kind: str, device_id: str | None, news: str, issued_ms: int, payload: str) -> None:
        told = push.News(news, payload or str(issued_ms), issued_ms)
        for token in self._clients.listeners(kind, device_id, issued_ms):
            self._outbox.append(push.notify(token, told))

    # -------------------------------------------------------------------------------------------- what clients ask

    def _client(self, call: Call) -> Client:
        return self._clients.authorised(call.device_id, call.dm_token)

    def _policy(self, call: Call) -> Answer:
        client = self._client(call)
        call.require("policy_request")
        message = Answer()
        message.policy_response.SetInParent()
        for fetch in call.message.policy_request.requests:
            message.policy_response.responses.extend(self._policies.answer(client, fetch, call.now_ms))
        keys = call.message.device_state_key_update_request.server_backed_state_keys
        if keys and client.kind == DEVICE:
            self._clients.knows_keys(client, list(keys))
        self._clients.served(client, self._policies.timestamp_ms(client, call.now_ms))
        return message

    def _status_upload(self, call: Call) -> Answer:
        client = self._client(call)
        message = Answer()
        for asked, given in _STATUS_PARTS.items():
            if call.message.HasField(asked):  # type: ignore[arg-type]
                getattr(message, given).SetInParent()
        if not message.ByteSize():
            raise Refusal(400, "no status report")
        self._keep(client, call)
        return message

    def _report(self, call: Call) -> Answer:
        client = self._client(call)
        asked, given = REPORTS[call.kind]
        call.require(asked)
        self._keep(client, call)
        message = Answer()
        getattr(message, given).SetInParent()
        return message

    def _keep(self, client: Client, call: Call) -> None:
        self._store.execute(
            "INSERT INTO management_reports VALUES (?, ?, ?, ?, 1) ON CONFLICT (client, kind) DO UPDATE"
            " SET body = excluded.body, received_ms = excluded.received_ms, received = received + 1",
            *(client.id, call.kind, call.body, call.now_ms),
        )

    def _remote_commands(self, call: Call) -> Answer:
        client = self._client(call)
        call.require("remote_command_request")
        asked = call.message.remote_command_request
        if asked.signature_type not in (SHA1_RSA, SHA256_RSA) or not asked.send_secure_commands:
            raise Refusal(400, "commands go out signed only")
        for result in asked.command_results:
            self._commands.end(client, result)
        acknowledged = max(client.acknowledged, asked.last_command_unique_id)
        self._clients.acknowledged(client, acknowledged)
        message = Answer()
        message.remote_command_response.SetInParent()
        message.remote_command_response.secure_commands.extend(
            self._commands.waiting(client, acknowledged, asked.signature_type, call.now_ms)
        )
        return message

    def _api_authorization(self, call: Call) -> Answer:
        """Without a robot account: an empty code makes a client do without (Chromium enrollment_handler.cc)."""
        self._client(call)
        call.require("service_api_access_request")
        message = Answer()
        message.service_api_access_response.auth_code = ""
        return message

    def _push_token(self, call: Call) -> Answer:
        client = self._client(call)
        call.require("fm_registration_token_upload_request")
        asked = call.message.fm_registration_token_upload_request
        token = good_text(asked.token)
        try:
            push.topic_of(token)
        except ValueError as fault:
            raise Refusal(400, str(fault)) from None
        self._clients.listens(client, token, asked.expiration_timestamp_ms)
        # What was published before the client could hear of it, it hears of now.
        published_ms = self._policies.timestamp_ms(client, call.now_ms)
        if client.served_ms < published_ms:
            news = push.News(_NEWS_OF[client.kind], str(published_ms), published_ms)
            self._outbox.append(push.notify(token, news))
        if self._commands.are_waiting(client):
            self._outbox.append(push.notify(token, push.News(push.DEVICE_COMMAND, str(call.now_ms), call.now_ms)))
        message = Answer()
        message.fm_registration_token_upload_response.SetInParent()
        return message
