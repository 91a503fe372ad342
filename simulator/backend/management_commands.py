"""Remote commands on the server: queued, given out signed until they are acknowledged, and how they ended.

Whether a device hears of a command at once is not settled here.
"""

from __future__ import annotations

from simulator.backend.management_calls import good_text
from simulator.backend.management_clients import Client
from simulator.backend.management_keys import PolicyKeys
from simulator.backend.management_mistakes import COMMAND_MISTAKES, CommandMistake
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols.policy_values import REMOTE_COMMAND

SCHEMA = """
CREATE TABLE IF NOT EXISTS management_commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- a client trusts that ids only grow
    client INTEGER NOT NULL REFERENCES management_clients ON DELETE CASCADE,
    type INTEGER NOT NULL,
    payload TEXT NOT NULL,
    queued_ms INTEGER NOT NULL,
    result INTEGER,                        -- RemoteCommandResult.ResultType; NULL: not known yet
    result_ms INTEGER,
    result_payload TEXT
);
CREATE INDEX IF NOT EXISTS management_commands_client ON management_commands (client, id);
"""
_RIGHT = CommandMistake()


def command_type(kind: str) -> int:
    """The number of a RemoteCommand.Type. Raises: ValueError for a name that none has."""
    if kind not in pb.RemoteCommand.Type.keys():  # noqa: SIM118 - not a dict
        raise ValueError(f"command {kind!r}: expected one of {', '.join(pb.RemoteCommand.Type.keys())}")
    return pb.RemoteCommand.Type.Value(kind)


class Commands:
    """The remote commands.

    Args:
        store: where they are kept. keys: that sign them.
    """

    def __init__(self, store: Store, keys: PolicyKeys) -> None:
        self._store, self._keys = store, keys
        store.ensure(SCHEMA)

    def queue(self, device_id: str | None, kind: str, payload: str, now_ms: int) -> int:
        """Queue a command for one device or browser, or for all devices (None).

        Args:
            kind: a name of RemoteCommand.Type. payload: JSON, or empty.
        Returns: for how many.
        Raises: ValueError for an unknown kind.
        """
        cursor = self._store.execute(
            "INSERT INTO management_commands (client, type, payload, queued_ms)"
            " SELECT id, ?, ?, ? FROM management_clients"
            " WHERE CASE WHEN ? IS NULL THEN kind = 'device' ELSE device_id = ? AND kind != 'user' END",
            *(command_type(kind), payload, now_ms, device_id, device_id),
        )
        return cursor.rowcount

    def end(self, client: Client, result: pb.RemoteCommandResult) -> None:
        """Remember how a command of this client ended; a result of no command of its own is dropped."""
        self._store.execute(
            "UPDATE management_commands SET result = ?, result_ms = ?, result_payload = ? WHERE id = ? AND client = ?",
            *(result.result, result.timestamp, good_text(result.payload), result.command_id, client.id),
        )

    def waiting(
        self, client: Client, acknowledged: int, signature_type: int, now_ms: int, mistake: str = ""
    ) -> pb.DeviceRemoteCommandResponse:
        """What a client has neither acknowledged nor ended. Each carries its age, so it is signed each time.

        Args:
            mistake: one of COMMAND_MISTAKES to make in each, or empty.
        """
        rows = self._store.all(
            "SELECT * FROM management_commands WHERE client = ? AND id > ? AND result IS NULL ORDER BY id",
            *(client.id, acknowledged),
        )
        made = COMMAND_MISTAKES[mistake] if mistake else _RIGHT
        answer = pb.DeviceRemoteCommandResponse()
        for row in rows:
            command = pb.RemoteCommand(
                type=row["type"],
                command_id=row["id"],
                age_of_command=max(0, now_ms - row["queued_ms"]),
                payload=row["payload"],
                target_device_id=client.device_id,
            )
            made.command(command)
            if made.unsigned:
                answer.commands.append(command)
                continue
            data = pb.PolicyData(
                policy_type=REMOTE_COMMAND,
                timestamp=now_ms,
                request_token=client.dm_token,
                policy_value=command.SerializeToString(),
                public_key_version=self._keys.version,
                username=client.username,
                device_id=client.device_id,
            ).SerializeToString()
            signed = answer.secure_commands.add(data=data, signature=self._keys.signer.sign(data, signature_type))
            made.signed(signed)
        return answer

    def are_waiting(self, client: Client) -> bool:
        """Whether a client has commands that it neither acknowledged nor ended."""
        return bool(
            self._store.one(
                "SELECT 1 FROM management_commands WHERE client = ? AND id > ? AND result IS NULL LIMIT 1",
                *(client.id, client.acknowledged),
            )
        )

    def counts(self) -> dict[str, int]:
        """How many commands were queued, and how many ended."""
        row = self._store.one("SELECT count(*) AS queued, count(result) AS ended FROM management_commands")
        return {"commands": row["queued"], "command_results": row["ended"]} if row else {}
