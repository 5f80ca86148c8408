"""The difference of two snapshots, as a person can read it."""

from __future__ import annotations

import difflib
from itertools import takewhile
from pathlib import Path

SHOWN_CHARACTERS = 300
"""Longer lines are cut, around the first character that differs."""


def compare(before: Path, after: Path) -> list[str]:
    """Lines of a unified diff without context, file by file; none where both are the same."""
    for directory in (before, after):
        if not (directory / "complete").exists():
            raise SystemExit(f"{directory} holds no complete snapshot: take it again")
    names = sorted({str(f.relative_to(d)) for d in (before, after) for f in d.rglob("*") if f.is_file()})
    return [line for name in names for line in _differences(before / name, after / name)]


def _differences(before: Path, after: Path) -> list[str]:
    old, new = _lines(before), _lines(after)
    if old == new:
        return []
    shown = [
        f"--- {before}{'' if before.exists() else ' (absent)'}\n+++ {after}{'' if after.exists() else ' (absent)'}\n"
    ]
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        shown.append(f"@@ -{i + 1},{j - i} +{k + 1},{m - k} @@\n")
        removed, added = old[i:j], new[k:m]
        starts = [_common(a, b) for a, b in zip(removed, added, strict=False)]
        for sign, lines in (("-", removed), ("+", added)):
            shown += [_cut(sign, line, starts[n] if n < len(starts) else 0) for n, line in enumerate(lines)]
    return shown


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _common(a: str, b: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _cut(sign: str, line: str, start: int) -> str:
    if len(line) <= SHOWN_CHARACTERS:
        return f"{sign}{line}\n"
    head = line[:60]
    first = max(len(head), start - 100)
    return f"{sign}{head} […] {line[first : first + SHOWN_CHARACTERS]} […]\n"
