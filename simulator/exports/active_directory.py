"""Accounts for Active Directory: a PowerShell script with New-ADUser, and one that removes them by name and mark.

Quoting: PowerShell's single-quoted strings are literal, a quote in one is doubled (about_Quoting_Rules); its tokenizer
takes typographic quotes for plain ones. Limits: sAMAccountName at most 20 characters (MS-ADA3 2.222).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulator.exports.person import DESCRIPTION, Person

USAGE = (
    "run it where the ActiveDirectory module is, -Path says in which organisational unit: powershell -File {write};"
    " remove with powershell -File {remove}"
)

_SAM_MAX = 20
# ' and the four that PowerShell's tokenizer takes for it
_QUOTES = "'‘’‚‛"

_WRITE = """# Creates {count} test accounts of {domain}. They hold passwords: delete this file once it has run.
param([string] $Path)
$ErrorActionPreference = 'Stop'
Import-Module ActiveDirectory
$where = if ($Path) {{ @{{ Path = $Path }} }} else {{ @{{}} }}
function Add-Account($Upn, $Sam, $Given, $Family, $Display, $Mark, $Password) {{
    $secure = ConvertTo-SecureString $Password -AsPlainText -Force
    New-ADUser -Name $Sam -SamAccountName $Sam -UserPrincipalName $Upn -EmailAddress $Upn -GivenName $Given `
        -Surname $Family -DisplayName $Display -Description $Mark -AccountPassword $secure `
        -Enabled $true -PasswordNeverExpires $true @where
}}
"""
_REMOVE = """# Removes the test accounts of {domain} that the other script created: each by its name and its mark.
$ErrorActionPreference = 'Stop'
Import-Module ActiveDirectory
function Remove-Account($Sam, $Mark) {{
    Get-ADUser -Filter {{ SamAccountName -eq $Sam }} -Properties Description |
        Where-Object {{ $_.Description -ceq $Mark }} | Remove-ADUser -Confirm:$false
}}
"""


def write(people: Sequence[Person], domain: str) -> str:
    """A script for Windows PowerShell 5 and PowerShell 7; with a byte order mark, without which 5 takes it for ANSI."""
    lines = (
        (person.user, sam_name(person.user), person.given_name, person.family_name, person.display_name, _mark(person),
         person.password)
        for person in people
    )  # fmt: skip
    return _script(_WRITE.format(count=len(people), domain=domain), "Add-Account", lines)


def remove(people: Sequence[Person], domain: str) -> str:
    """A script for the same."""
    lines = ((sam_name(person.user), _mark(person)) for person in people)
    return _script(_REMOVE.format(domain=domain), "Remove-Account", lines)


def sam_name(user: str) -> str:
    """The sAMAccountName of an address: its last 20 characters before the @, where the person's number stands."""
    return user.partition("@")[0][-_SAM_MAX:].lstrip(".")


def quoted(text: str) -> str:
    """A literal PowerShell string of one line. Raises ValueError for text with a control character."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("a control character in a name")
    return "'" + "".join(character * 2 if character in _QUOTES else character for character in text) + "'"


def _mark(person: Person) -> str:
    return f"{DESCRIPTION} {person.mark}"


def _script(head: str, function: str, lines: Iterable[Sequence[str]]) -> str:
    calls = [f"{function} {' '.join(quoted(text) for text in line)}" for line in lines]
    return "\ufeff" + "\r\n".join([*head.splitlines(), *calls, ""])
