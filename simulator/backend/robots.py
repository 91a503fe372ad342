"""Robot accounts: the tokens of a machine's own account, for a code that device management gives it.

Unlike a person's, a robot's code names the OAuth client and the scopes that it was asked for, and its token request
says no scope (Chromium google_apis/gaia/gaia_oauth_client.cc, GetTokensFromAuthCode).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.backend.settings import Chance
from simulator.backend.tokens import Opened, Tokens

_CODE_S = 600
_REFRESH_S = 180 * 86_400


@dataclass(frozen=True, slots=True)
class Granted:
    """What an exchange is worth: whose it is, for which scopes (space separated), and the refresh token to come back
    with; empty for a refresh."""

    robot: str
    scope: str
    refresh_token: str


class Robots:
    """The robot accounts of one domain.

    Args:
        tokens: that make and open them. chance: of codes.
    """

    def __init__(self, tokens: Tokens, chance: Chance) -> None:
        self._tokens, self._chance = tokens, chance

    def code(self, robot: str, client_id: str, scopes: Sequence[str], now: float) -> str:
        """An authorisation code, good once within ten minutes.

        Args:
            robot: e-mail address of the account. client_id: of OAuth, who may exchange it. now: Unix seconds.
        """
        fields = (robot, client_id, " ".join(scopes), self._chance(9).hex())
        return self._tokens.make("robot code", *fields, until_s=now + _CODE_S)

    def exchange(self, form: Mapping[str, str], now: float) -> Granted | None:
        """What the form of a token request is worth; None when it brings no code or refresh token of a robot."""
        if form.get("grant_type") == "authorization_code":
            code = self._opened("robot code", form.get("code", ""), form, now)
            if code is None or not self._tokens.spend("robot code", code.fields[3], code.until_s, now):
                return None
            robot, client_id, scope, _ = code.fields
            fields = (robot, client_id, scope)
            return Granted(robot, scope, self._tokens.make("robot refresh", *fields, until_s=now + _REFRESH_S))
        known = self._opened("robot refresh", form.get("refresh_token", ""), form, now)
        return Granted(known.fields[0], known.fields[2], "") if known else None

    def _opened(self, kind: str, token: str, form: Mapping[str, str], now: float) -> Opened | None:
        opened = self._tokens.open(kind, token, now)
        return opened if opened and opened.fields[1] == form.get("client_id") else None
