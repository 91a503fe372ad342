"""The secret that generated passwords are derived from: one file, made once, that only its owner may read.

Outside every run folder, so that exported accounts and every later run agree. It knows no account.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from simulator.errors import UserError

_BYTES = 32


def state_folder() -> Path:
    """Where what is kept of a user's own from run to run is (XDG Base Directory Specification)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # the specification has a relative path ignored
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "fleetrush"


def default_path() -> Path:
    """Where the secret is when nothing else is said."""
    return state_folder() / "accounts-secret"


def accounts_secret(path: Path) -> bytes:
    """The secret of that file, made when there is none: 32 random bytes as hex digits, mode 0600.

    Raises: UserError where the file cannot be made or read, others may read it, or it holds something else.
    """
    try:
        if not path.exists():
            _make(path)
        mode = path.stat().st_mode
        text = path.read_text("ascii").strip()
        secret = bytes.fromhex(text)
    except OSError as error:
        raise UserError(
            f"{path}: the secret of the generated passwords cannot be kept there: {error.strerror};"
            " say --accounts-secret FILE"
        ) from None
    except ValueError:
        secret = b""
    if mode & 0o077:
        raise UserError(f"{path}: others may read the secret of the generated passwords: chmod 600 {path}")
    if len(secret) != _BYTES:
        raise UserError(f"{path}: expected {2 * _BYTES} hex digits, as fleetrush writes them into a file that is new")
    return secret


def _make(path: Path) -> None:
    """Write a new secret whole; whoever was first wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # made by mkstemp with mode 0600, whatever the umask
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with open(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        os.unlink(name)
