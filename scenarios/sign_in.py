"""How people get into their sessions, as a scenario writes it: shares of the kinds, token life. Nothing is drawn."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from scenarios.base import Frozen, Share

_DAY_S = 86_400
# People work five days of seven, so a limit of seven days is over on every fifth working day.
_DAYS_A_WORKING_DAY = 7 / 5
_ROUNDING = 1e-6


class SignIn(Frozen):
    """How people get into their sessions: the shares of the kinds, drawn for each device, add up to 1."""

    online: Share | None = None
    """Sign in at the identity provider; what the other kinds leave, when left out."""
    offline_unlock: Share | None = None
    """Signed in here before: unlock with the local password, refresh tokens."""
    expired_token: Share = 0
    """As offline_unlock, and the first call is answered 401 since the token from before has died."""
    wrong_password: Share = 0
    """Sign in at the identity provider, with a wrong password first."""
    locked_account: Share = 0
    """Type wrong passwords until the account is locked, and are refused with the right one too."""
    saml_offline_limit_s: Annotated[int, Field(ge=-1)] | None = None
    """SAMLOfflineSigninTimeLimit (-1 never, 0 always online): says instead of the shares how many are online and how
    many unlock offline. People's limits began on different days, and they work five days of seven."""
    lock_after: Annotated[int, Field(ge=2, le=1000)] = 30
    """Wrong passwords in a row that lock an account; so many does a person of locked_account type."""
    token_life_s: Annotated[int, Field(ge=60, le=30 * _DAY_S)] = 3600
    """How long the stand-in's access tokens live, city seconds; devices fetch new ones at 90 % of it."""

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        said = (self.online, self.offline_unlock)
        if self.saml_offline_limit_s is not None and said != (None, None):
            raise PydanticCustomError("shares", "no online and no offline_unlock beside saml_offline_limit_s")
        total = self._others + sum(share or 0 for share in said)
        open_end = self.online is None and total <= 1 + _ROUNDING
        if not open_end and abs(total - 1) > _ROUNDING:
            raise PydanticCustomError("shares", "shares that add up to 1, not to {total}", {"total": f"{total:.6g}"})
        return self

    @property
    def _others(self) -> float:
        return self.expired_token + self.wrong_password + self.locked_account

    @property
    def shares(self) -> dict[str, float]:
        """The share of each kind; together 1."""
        rest = max(0.0, 1 - self._others)
        if self.saml_offline_limit_s is not None:
            online = rest * online_share(self.saml_offline_limit_s)
        elif self.online is not None:
            online = self.online
        else:
            online = max(0.0, rest - (self.offline_unlock or 0))
        return {
            "online": online,
            "offline_unlock": max(0.0, rest - online),
            "expired_token": self.expired_token,
            "wrong_password": self.wrong_password,
            "locked_account": self.locked_account,
        }

    @property
    def returning(self) -> float:
        """The share of those who signed in on their devices before."""
        return self.shares["offline_unlock"] + self.expired_token


def online_share(limit_s: int) -> float:
    """The share of the staff whose SAMLOfflineSigninTimeLimit is over on a working day, once limits are spread evenly.

    A limit of N working days makes it 1/N: 604,800 s (a week) are five of them, so a fifth.
    """
    if limit_s < 0:
        return 0.0
    return min(1.0, _DAYS_A_WORKING_DAY * _DAY_S / limit_s) if limit_s else 1.0
