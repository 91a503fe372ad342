"""The device management service: a server for enrollment, policy, push tokens, remote commands and reports.

It plays DMServer for as much as a fleet of managed Chromebooks asks of it, by the rules of Chromium's own test server
(components/policy/test_support). What each part remembers is in the modules beside; here is who is asked for what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simulator.backend.management_blobs import Blobs, robot_of
from simulator.backend.management_calls import Call, Refusal, answered, good_text, read_call, refused
from simulator.backend.management_clients import BROWSER, DEVICE, USER, Client, Clients
from simulator.backend.management_commands import Commands
from simulator.backend.management_deletions import Deletions
from simulator.backend.management_determination import Determination
from simulator.backend.management_enrollment import Enrollment
from simulator.backend.management_extensions import PATH as EXTENSIONS_PATH
from simulator.backend.management_extensions import Extensions
from simulator.backend.management_keys import PolicyKeys
from simulator.backend.management_policies import AUDIENCE_OF, POLICY_OF, Mistake, Policies
from simulator.backend.management_reports import Reports
from simulator.backend.management_terms import Terms
from simulator.backend.robots import Robots
from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols import push
from simulator.protocols.messages import Push, Request, Response
from simulator.protocols.policy import SHA1_RSA, SHA256_RSA

# Chromium cloud_policy_invalidator.cc and remote_commands_invalidator.cc: what a push of news is called.
_NEWS_OF = {DEVICE: push.DEVICE_POLICY, USER: push.USER_POLICY, BROWSER: "BROWSER_POLICY_FETCH"}
_COMMAND_NEWS_OF = {DEVICE: push.DEVICE_COMMAND, BROWSER: "BROWSER_REMOTE_COMMAND"}

Answer = pb.DeviceManagementResponse


class Management:
    """The service.

    Args:
        store: its memory. settings: public addresses and the domain. chance: of tokens and secrets.
        outbox: where pushes are put, to be sent once the answer is committed.
        who_is: whose access token this is (token, Unix seconds): the user's e-mail address, None for a bad one.
        robots: that make the codes of robot accounts; None: there are no such accounts.
        mistake: which one to make now (kind of fault, policy type, Unix seconds), empty for none.

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
        robots: Robots | None = None,
        mistake: Mistake = lambda _kind, _policy_type, _now: "",
    ) -> None:
        self._outbox = outbox
        self._clients = Clients(store, chance)
        self._keys = PolicyKeys(store, settings.domain, settings.policy_keys)
        self._blobs = Blobs(store, self._keys, settings)
        self._extensions = Extensions(store, settings.management_url)
        self._policies = Policies(store, self._keys, self._blobs, self._extensions, mistake)
        self._commands = Commands(store, self._keys)
        self._deletions = Deletions(store)
        self._domain, self._robots, self._mistake = settings.domain, robots, mistake
        self._reports = Reports(store, self._clients)
        self.verification_key_der = self._keys.verification_key
        self.enrollment_token = self._clients.enrollment_token
        self.attestation_secret = self._clients.attestation_secret
        self.terms = Terms(store, settings)
        enrollment = Enrollment(self._clients, self.terms, settings.domain, self._blobs.affiliation_id, who_is)
        self.kinds: dict[str, Callable[[Call], Answer]] = {
            **enrollment.kinds,
            **Determination(self._clients, self.terms, settings.domain).kinds,
            **self._reports.kinds,
            "policy": self._policy,
            "remote_commands": self._remote_commands,
            "api_authorization": self._api_authorization,
            "fm_registration_token_upload": self._push_token,
        }

    def handle(self, request: Request, now: float) -> Response:
        """Answer one request; `now` in Unix seconds. Raises nothing, whatever bytes come."""
        if request.method == "GET":
            return self._document(request)
        device_id = ""
        try:
            call = read_call(request, int(now * 1000))
            device_id = call.device_id
            answer = self.kinds.get(call.kind)
            if answer is None:
                raise Refusal(400, f"unknown request {call.kind[:100]!r}")
            return answered(answer(call))
        except Refusal as refusal:
            detail = self._deletions.error_detail(device_id) if refusal.status == 410 else ""
            return refused(refusal.status, refusal.message, detail)

    def refuse(self, status: int, error_detail: str) -> Response:
        """What a client is told in place of an answer; `error_detail` is one of management_calls.ERROR_DETAILS."""
        return refused(status, "an injected fault", error_detail)

    # ------------------------------------------------------------------------------------------- what the operator does

    def publish(self, kind: str, changes: Mapping[str, Any], now: float, *, payload: str = "") -> int:
        """Set some named policies, and tell every client of that kind that listens.

        Args:
            kind: "device", "user" or "account". changes: see management_values.payload_of. now: Unix seconds.
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
        for account in self._policies.accounts(now_ms) if kind == "account" else ():
            self._tell(DEVICE, None, push.ACCOUNT_POLICY + account, published_ms, payload)
        return published_ms

    def publish_extension(
        self, audience: str, extension_id: str, value: Mapping[str, Any] | None, now: float, *, payload: str = ""
    ) -> int:
        """Set the policy of an extension, or take it back (None), and tell every client that has such extensions.

        Args: as Extensions.publish; `now` in Unix seconds, `payload` as for publish.
        Returns: the timestamp of the policy, Unix milliseconds.
        Raises: ValueError, see Extensions.publish.
        """
        published_ms = self._extensions.publish(audience, extension_id, value, int(now * 1000))
        for client_kind, own in AUDIENCE_OF.items():
            if own == audience:
                self._tell(client_kind, None, _NEWS_OF[client_kind], published_ms, payload)
        return published_ms

    def delete(self, device_id: str | None, error_detail: str) -> int:
        """Delete one client, or all devices (None): 410 from now on, until it registers again.

        Args:
            error_detail: what the 410 says besides: one of management_calls.ERROR_DETAILS, or empty.
        Returns: how many.
        Raises: ValueError for another detail.
        """
        return self._deletions.delete(device_id, error_detail)

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
        """Queue a remote command for one device or browser (or all devices: None), and tell those that listen.

        Args:
            kind: a name of RemoteCommand.Type, such as "DEVICE_REBOOT". payload: JSON, or empty.
        Returns: for how many.
        Raises: ValueError: there is no such command.
        """
        now_ms = int(now * 1000)
        queued = self._commands.queue(device_id, kind, payload, now_ms)
        if queued:
            for client_kind, news in _COMMAND_NEWS_OF.items() if device_id else [(DEVICE, push.DEVICE_COMMAND)]:
                self._tell(client_kind, device_id, news, now_ms, "")
        return queued

    def rotate_key(self) -> int:
        """Sign with a new policy key from now on. Returns: its version. Raises: ValueError, see PolicyKeys.rotate."""
        return self._keys.rotate()

    def counts(self) -> dict[str, int]:
        """What there is, by name; policies_signed counts since the start, all else since the database was made."""
        return {
            "devices": self._clients.count(DEVICE),
            "users": self._clients.count(USER),
            "browsers": self._clients.count(BROWSER),
            "key_version": self._keys.version,
            "policies_signed": self._blobs.signed,
            **self._reports.counts(),
            **self._commands.counts(),
        }

    def _tell(self, kind: str, device_id: str | None, news: str, issued_ms: int, payload: str) -> None:
        told = push.News(news, payload or str(issued_ms), issued_ms)
        for token in self._clients.listeners(kind, device_id, issued_ms):
            self._outbox.append(push.notify(token, told))

    # -------------------------------------------------------------------------------------------- what clients ask

    def _client(self, call: Call) -> Client:
        return self._clients.authorised(call.device_id, call.dm_token)

    def _document(self, request: Request) -> Response:
        """What the policies of extensions point at: the one thing here that is fetched like a page."""
        path = "/" + request.url.partition("?")[0].split("/", 3)[-1]
        if not path.startswith(EXTENSIONS_PATH):
            return refused(400, "the management service takes POST only")
        document = self._extensions.document(path)
        if document is None:
            return refused(404, "there is no such document, or no longer")
        return Response(200, (("content-type", "application/json"),), document)

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
        self._clients.served(client, self._policies.newest_ms(client, call.now_ms))
        return message

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
        mistake = self._mistake("wrong_command", "", call.now_ms / 1000)
        return Answer(
            remote_command_response=self._commands.waiting(
                client, acknowledged, asked.signature_type, call.now_ms, mistake
            )
        )

    def _api_authorization(self, call: Call) -> Answer:
        """The code of a robot account; an empty one makes a client do without (Chromium enrollment_handler.cc)."""
        client = self._client(call)
        call.require("service_api_access_request")
        asked, code = call.message.service_api_access_request, ""
        if self._robots is not None:
            scopes = [good_text(scope) for scope in asked.auth_scopes]
            robot = robot_of(client, self._domain)
            code = self._robots.code(robot, good_text(asked.oauth2_client_id), scopes, call.now_ms / 1000)
        return Answer(service_api_access_response=pb.DeviceServiceApiAccessResponse(auth_code=code))

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
        published_ms = self._policies.newest_ms(client, call.now_ms)
        if client.served_ms < published_ms:
            news = push.News(_NEWS_OF[client.kind], str(published_ms), published_ms)
            self._outbox.append(push.notify(token, news))
        if self._commands.are_waiting(client):
            news = push.News(_COMMAND_NEWS_OF[client.kind], str(call.now_ms), call.now_ms)
            self._outbox.append(push.notify(token, news))
        message = Answer()
        message.fm_registration_token_upload_response.SetInParent()
        return message
