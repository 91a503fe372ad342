"""What an operator may set: by name, into the right field of the right message, or with one clear line not at all."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.backend.management_values import DEFAULTS, MESSAGES, payload_of


@pytest.mark.parametrize(
    ("kind", "changes", "payload"),
    [
        # Field 3 HomepageLocation {2: value}
        ("user", {"HomepageLocation": "x"}, "1a03 1201 78"),
        # Field 84 BookmarkBarEnabled {2: value}: 84 << 3 | 2 = 674 = a2 05
        ("user", {"BookmarkBarEnabled": True}, "a205 02 1001"),
        # Field 36 ExtensionInstallForcelist {2: StringList {1: entries}}: 36 << 3 | 2 = 290 = a2 02
        ("user", {"ExtensionInstallForcelist": ["a", "b"]}, "a202 08 1206 0a0161 0a0162"),
        # Recommended instead of mandatory: {1: {1: 1}, 2: value}
        (
            "user",
            {"ShowHomeButton": {"policy_options": {"mode": "RECOMMENDED"}, "value": False}},
            "aa02 06 0a02 0801 1000",
        ),
        # Field 1043 subProto1 {19: {2: true}}: 1043 << 3 | 2 = 8346 = 9a 41; 19 << 3 | 2 = 154 = 9a 01
        ("user", {"subProto1": {"ScreensaverLockScreenEnabled": True}}, "9a41 05 9a01 02 1001"),
        # Field 1 device_policy_refresh_rate {1: ms}
        ("device", {"device_policy_refresh_rate": 5}, "0a02 0805"),
        # Field 17 auto_update_settings {2: prefix, 5: WIFI, 10: rollback}: 17 << 3 | 2 = 138 = 8a 01
        (
            "device",
            {
                "auto_update_settings": {
                    "target_version_prefix": "1.",
                    "allowed_connection_types": ["CONNECTION_TYPE_WIFI"],
                    "rollback_to_target_version": "ROLLBACK_AND_RESTORE_IF_POSSIBLE",
                }
            },
            "8a01 08 1202 312e 2801 5003",
        ),
        # Field 21 device_local_accounts {1: {2: "a", 3: KIOSK_APP = 1}, 1: {2: "b"}}: 21 << 3 | 2 = 170 = aa 01
        (
            "device",
            {
                "device_local_accounts": {
                    "account": [{"account_id": "a", "type": "ACCOUNT_TYPE_KIOSK_APP"}, {"account_id": "b"}]
                }
            },
            "aa01 0c 0a05 120161 1801 0a03 120162",
        ),
        # Field 1290 DeviceRestrictionSchedule {2: value}: 1290 << 3 | 2 = 10322 = d2 50
        ("device", {"DeviceRestrictionSchedule": "[]"}, "d250 04 1202 5b5d"),
    ],
)
def test_a_named_policy_lands_in_its_field(kind: str, changes: dict[str, Any], payload: str) -> None:
    """The bytes are those that the field numbers make."""
    assert payload_of(kind, changes) == bytes.fromhex(payload)


def test_a_change_leaves_the_rest_alone() -> None:
    """What is named is set, lists are replaced, None unsets, fields of a message are set one by one."""
    before = payload_of("user", {"URLBlocklist": ["a", "b"], "HomepageLocation": "x", "BrowserSignin": 1})
    after = payload_of("user", {"URLBlocklist": ["c"], "BrowserSignin": None}, before)
    assert after == payload_of("user", {"HomepageLocation": "x", "URLBlocklist": ["c"]})
    before = payload_of("device", {"auto_update_settings": {"update_disabled": True, "p2p_enabled": True}})
    after = payload_of("device", {"auto_update_settings": {"p2p_enabled": None}}, before)
    assert after == payload_of("device", {"auto_update_settings": {"update_disabled": True}})


def test_unknown_fields_of_a_payload_are_kept() -> None:
    """A policy that nobody here knows survives a change of another."""
    unknown = bytes.fromhex("fa3e 01 78")  # field 1007
    assert payload_of("user", {"HomepageLocation": "x"}, unknown).endswith(unknown)


@pytest.mark.parametrize(
    ("kind", "changes", "line"),
    [
        ("users", {}, "policy 'users': expected one of device, user, account"),
        ("user", {"HomePageLocation": "x"}, "no policy HomePageLocation; did you mean 'HomepageLocation'?"),
        (
            "device",
            {"auto_update_settings": {"target_version": "1"}},
            "no policy auto_update_settings.target_version; did you mean",
        ),
        ("user", {"BookmarkBarEnabled": 1}, "policy BookmarkBarEnabled: 1 does not fit"),
        ("user", {"BrowserSignin": True}, "policy BrowserSignin: True does not fit"),
        ("user", {"HomepageLocation": 3}, "policy HomepageLocation: "),
        ("user", {"HomepageLocation": "\ud800"}, "policy HomepageLocation: "),
        ("user", {"BrowserSignin": 2**64}, "policy BrowserSignin: "),
        ("user", {"URLBlocklist": "a"}, "policy URLBlocklist: expected a list"),
        (
            "device",
            {"device_local_accounts": {"account": {"account_id": "a"}}},
            "policy device_local_accounts.account: expected a list",
        ),
        (
            "device",
            {"device_local_accounts": {"account": [{}, {"type": "KIOSK"}]}},
            "policy device_local_accounts.account[1].type: 'KIOSK': expected one of ACCOUNT_TYPE_PUBLIC_SESSION",
        ),
        ("user", {"ShowHomeButton": {"policy_options": 3}}, "policy ShowHomeButton.policy_options: expected an object"),
        (
            "device",
            {"auto_update_settings": {"rollback_to_target_version": "YES"}},
            "policy auto_update_settings.rollback_to_target_version: 'YES': expected one of ROLLBACK_UNSPECIFIED",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(kind: str, changes: dict[str, Any], line: str) -> None:
    """What, where, what was expected, and the nearest name."""
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        payload_of(kind, changes)
    assert line in str(caught.value)


def test_what_is_published_first_fits() -> None:
    """The defaults are policies that exist."""
    assert all(payload_of(kind, DEFAULTS[kind]) for kind in MESSAGES)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    kind=st.sampled_from(sorted(MESSAGES)),
    name=st.sampled_from(sorted({name for m in MESSAGES.values() for name in m.DESCRIPTOR.fields_by_name})),
    value=JSON,
)
def test_any_json_is_set_or_refused(kind: str, name: str, value: object) -> None:
    """A value that an operator sends either fits or is a ValueError; nothing else is raised."""
    with suppress(ValueError):
        payload_of(kind, {name: value})
