"""What `counterpoise doctor` learns when it asks a source or a receiver how it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "problem", "skipped"]


@dataclass(frozen=True, slots=True)
class Probe:
    """`said` is one line: what was seen, or what to do. No secret is in it.

    `date` is the Date header of an answer over HTTP, empty if the answer had none, and None if no request was sent.
    """

    verdict: Verdict
    said: str
    date: str | None = None
