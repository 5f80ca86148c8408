"""Refusals of the API, each with one JSON body."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict


class RefusalBody(BaseModel):
    """The body of every answer that is not 2xx or 304."""

    model_config = ConfigDict(extra="forbid")

    error: str
    """Short name of the mistake, for programs."""
    message: str
    """One sentence: what was sent, what was expected."""
    parameter: str | None = None
    """The query parameter that is wrong, if one is."""


class ApiError(Exception):
    """An answer without data."""

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        *,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = RefusalBody(error=error, message=message, parameter=parameter)
        self.headers = dict(headers or {})


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean …?)` for a probable slip; empty without one.

    >>> nearest("topp4_share", ["top4_share", "hhi"])
    ' (did you mean top4_share?)'
    """
    near = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""
