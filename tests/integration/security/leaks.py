"""Where a secret must not be: what a process prints and logs, and command lines."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote


def forms(secret: str) -> set[str]:
    """The secret as it stands, and as the usual encodings write it."""
    raw = secret.encode()
    return {
        secret,
        quote(secret, safe=""),
        raw.hex(),
        repr(secret)[1:-1],
        base64.b64encode(raw).decode().rstrip("=")[:-1],
    }


def assert_hidden(text: str, *secrets: str) -> None:
    assert text, "nothing was said, so nothing is proved"
    for secret in secrets:
        for form in forms(secret):
            assert form not in text, f"a secret stands in: {text[max(0, text.find(form) - 200) : text.find(form)]}"


def command_lines(pid: int) -> str:
    """Those of a process and all below it, one a line; empty where the system has no /proc."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    lines = []
    for member in sorted(family):
        try:
            lines.append((Path("/proc") / str(member) / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return "\n".join(lines)
