"""Accounts for Keycloak: a realm's partial import, and a script that deletes them by their ids over the admin API.

Fields: Keycloak's UserRepresentation and CredentialRepresentation (Admin REST API). Passwords are given plain: the
realm hashes them by its own policy, as it would its people's, so that a login costs what it costs there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from simulator.exports.person import Person

USAGE = (
    "import it in the admin console (Realm settings, Action, Partial import); remove with"
    " KEYCLOAK=https://... REALM=... TOKEN=$(an admin's access token) sh {remove}"
)

_REMOVE = """#!/bin/sh
# Deletes the accounts of {domain} that were imported with these ids, and no other: an account of the same name that was
# there before has another id. KEYCLOAK: base address. REALM: its name. TOKEN: an access token that may manage users.
set -eu
: "${{KEYCLOAK:?its base address}}" "${{REALM:?the name of the realm}}" "${{TOKEN:?an admin access token}}"
deleted=0 absent=0
while read -r id; do
    # the token goes through standard input: a process list shows arguments
    status=$(printf 'header = "Authorization: Bearer %s"\\n' "$TOKEN" |
        curl --silent --show-error --config - --output /dev/null --write-out '%{{http_code}}' \\
            --request DELETE "$KEYCLOAK/admin/realms/$REALM/users/$id")
    case $status in
    204) deleted=$((deleted + 1)) ;;
    404) absent=$((absent + 1)) ;;
    *) echo "user $id: HTTP $status; $deleted deleted so far" >&2 && exit 1 ;;
    esac
done <<'IDS'
{ids}
IDS
echo "$deleted deleted, $absent were not there"
"""


def write(people: Sequence[Person], domain: str) -> str:
    """A partial import (PartialImportRepresentation); whoever is there already is left as he is.

    The ids are kept by Keycloak's UsersPartialImport, and by them alone the clean-up finds its accounts.
    """
    users = [
        {
            "id": person.mark,
            "username": person.user,
            "email": person.user,
            "emailVerified": True,
            "enabled": True,
            "firstName": person.given_name,
            "lastName": person.family_name,
            "credentials": [{"type": "password", "value": person.password, "temporary": False}],
            "requiredActions": [],
        }
        for person in people
    ]
    return json.dumps({"ifResourceExists": "SKIP", "users": users}, indent=1, ensure_ascii=False) + "\n"


def remove(people: Sequence[Person], domain: str) -> str:
    """A shell script that needs curl alone."""
    return _REMOVE.format(domain=domain, ids="\n".join(person.mark for person in people))
