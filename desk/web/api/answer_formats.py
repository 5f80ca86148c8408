"""Formats of an answer, how a request chooses one, and the bytes of each. Pure."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from counterpoise.visible import visible
from desk.results import arrow, writers
from desk.web.api.api_errors import ApiError

MEDIA_TYPES: Final[dict[str, str]] = {
    "json": "application/json",
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
"""Format → media type. The first one answers a request that accepts anything."""

FORMATS: Final = tuple(MEDIA_TYPES)
_ENDINGS: Final = {"arrow": "arrows"}


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """A page of rows: names with ClickHouse types, columns in blocks, and where the next page begins."""

    heads: list[tuple[str, str]]
    blocks: list[list[Any]]
    next: str | None
    query: Mapping[str, Any]

    def stream(self) -> Iterator[tuple[list[tuple[str, str]], list[Any]]]:
        """The blocks as a reader of ClickHouse gives them."""
        yield self.heads, []
        for columns in self.blocks:
            yield self.heads, columns

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(len(columns[0]) for columns in self.blocks if columns)


def chosen_format(given: str | None, accept: str | None) -> str:
    """`given` if there is one, else the best of an Accept header; ApiError 406 where none is acceptable.

    >>> chosen_format(None, "text/html;q=0.9, text/csv;q=0.8"), chosen_format(None, "*/*"), chosen_format("arrow", "text/csv")
    ('csv', 'json', 'arrow')
    """
    if given is not None:
        return given
    if not accept or not accept.strip():
        return FORMATS[0]
    weights = {name: _weight(media, accept) for name, media in MEDIA_TYPES.items()}
    best = max(weights, key=lambda name: (weights[name], -FORMATS.index(name)))
    if weights[best] <= 0:
        listed = ", ".join(MEDIA_TYPES.values())
        raise ApiError(406, "not-acceptable", f"no format of the Accept header is available: expected one of {listed}")
    return best


def _weight(media: str, accept: str) -> float:
    """The weight of a media type: that of the most specific range that holds it."""
    best = (-1, 0.0)
    for part in accept.split(","):
        pattern, *options = (piece.strip().lower() for piece in part.split(";"))
        kind = media.partition("/")[0]
        rank = {media: 2, f"{kind}/*": 1, "*/*": 0}.get(pattern)
        if rank is not None and rank > best[0]:
            best = (rank, _quality(options))
    return best[1]


def _quality(options: list[str]) -> float:
    for option in options:
        name, _, value = option.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def body_of(table: AnswerTable, name: str) -> bytes:
    """The page in a format. JSON has `data`, `next` and `query`; the others have the rows only."""
    if name == "json":
        document = {"data": list(writers.objects_of(table.stream())), "next": table.next, "query": dict(table.query)}
        return visible(json.dumps(document, ensure_ascii=False, allow_nan=False)).encode() + b"\n"
    if name in ("csv", "jsonl"):
        text = io.StringIO(newline="")
        if name == "csv":
            writers.write_csv(table.stream(), text, raw=False)
        else:
            writers.write_json_lines(table.stream(), text)
        return text.getvalue().encode()
    raw = io.BytesIO()
    (arrow.write_parquet if name == "parquet" else arrow.write_arrow)(table.stream(), raw)
    return raw.getvalue()


def file_name(path: str, name: str) -> str:
    """Name of the file that a browser saves."""
    return f"{path.strip('/').replace('/', '-')}.{_ENDINGS.get(name, name)}"


def etag(body: bytes, *more: str | None) -> str:
    """A strong entity tag of exactly these bytes and headers."""
    found = hashlib.sha256(body)
    for text in more:
        found.update(b"\0" + (text or "").encode())
    return f'"{found.hexdigest()[:32]}"'


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether an If-None-Match header names the tag (weak comparison, RFC 9110 13.1.2).

    >>> is_known('W/"a", "b"', '"b"'), is_known("*", '"b"'), is_known('"c"', '"b"'), is_known(None, '"b"')
    (True, True, False, False)
    """
    if if_none_match is None:
        return False
    tags = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return "*" in tags or tag in tags
