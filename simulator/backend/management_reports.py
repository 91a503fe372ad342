"""What clients report: of each kind the latest, as it came, and how many there were.

Nothing is read out of a report here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.backend.management_calls import Call, Refusal
from simulator.backend.management_clients import Client, Clients
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb

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

# `request` parameter -> the part of the request, the part of the answer.
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


class Reports:
    """The reports.

    Args:
        store: where they are kept. clients: who may report.

    Attributes:
        kinds: `request` parameter -> what answers it.
    """

    def __init__(self, store: Store, clients: Clients) -> None:
        self._store, self._clients = store, clients
        store.ensure(SCHEMA)
        self.kinds: Mapping[str, Callable[[Call], Answer]] = {
            **dict.fromkeys(REPORTS, self._report),
            "status_upload": self._status_upload,
        }

    def counts(self) -> dict[str, int]:
        """How many came since the database was made."""
        rows = self._store.all("SELECT kind, sum(received) AS n FROM management_reports GROUP BY kind")
        received = {row["kind"]: row["n"] for row in rows}
        return {
            "status_reports": received.pop("status_upload", 0),
            "validation_reports": received.pop("policy_validation_report", 0),
            "other_reports": sum(received.values()),
        }

    def _status_upload(self, call: Call) -> Answer:
        client = self._clients.authorised(call.device_id, call.dm_token)
        message = Answer()
        for asked, given in _STATUS_PARTS.items():
            if call.message.HasField(asked):  # type: ignore[arg-type]
                getattr(message, given).SetInParent()
        if not message.ByteSize():
            raise Refusal(400, "no status report")
        self._keep(client, call)
        return message

    def _report(self, call: Call) -> Answer:
        client = self._clients.authorised(call.device_id, call.dm_token)
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
