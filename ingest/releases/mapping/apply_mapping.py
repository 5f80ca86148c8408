"""Apply a mapping: documents or tables in, releases out. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from pydantic import ValidationError

from counterpoise.contracts.releases import Observation
from counterpoise.errors import DeadLetterError
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Head, ObservationKey, Release, key_of, make_release
from ingest.releases.checked_observation import first_problem
from ingest.releases.mapping.mapping import Mapping, Value
from ingest.releases.release_head import FIRST_PUBLICATION_MS, head_of

MAX_ROWS = 1_000_000
_TOLD_PROBLEMS = 5
_BASIC_DAY_CHARACTERS = 8
"""20260131 is a day and no count of milliseconds."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON document, or a table as the list of its rows; `item` is what it was fetched for."""

    content: Any
    item: str = ""
    name: str = ""
    modified_ms: int = 0


class _RowError(Exception):
    pass


def mapped_releases(
    mapping: Mapping,
    series: Series,
    documents: Iterable[Document],
    *,
    fetched_at_ms: int,
    dropped: list[str] | None = None,
) -> list[Release]:
    """The releases in the documents, by period. DeadLetterError names the first rows that are wrong: a release with a row left out
    would be another distribution, so there is none then.

    Where the mapping drops wrong rows, each is a line of `dropped`; more than half of all rows are still an error.
    """
    found: dict[tuple[str, str], dict[ObservationKey, Observation]] = {}
    published: dict[tuple[str, str], int] = {}
    problems: list[str] = []
    fetched = {"day": datetime.fromtimestamp(fetched_at_ms / 1000, UTC).date().isoformat(), "ms": fetched_at_ms}
    count = 0
    for document in documents:
        scope = {
            "item": document.item,
            "document": document.content,
            "file": {"name": document.name, "modified": document.modified_ms},
            "fetched": fetched,
        }
        for number, row in enumerate(_rows(mapping, document), start=1):
            count += 1
            if count > MAX_ROWS:
                raise DeadLetterError("too-many-rows", f"{_named(document)}more than {MAX_ROWS} rows")
            try:
                _take(mapping, series, scope | {"row": row}, found, published)
            except _RowError as error:
                problems.append(f"{_named(document)}row {number}: {error}")
    if mapping.wrong_rows == "drop" and 2 * len(problems) <= count:
        if dropped is not None:
            dropped += problems
        problems = []
    if problems:
        more = f"; and {len(problems) - _TOLD_PROBLEMS} more" if len(problems) > _TOLD_PROBLEMS else ""
        raise DeadLetterError("bad-rows", "; ".join(problems[:_TOLD_PROBLEMS]) + more)
    if not found:
        raise DeadLetterError("no-rows", f"mapping {mapping.name} finds no row in {count} rows")
    return [
        make_release(_head(mapping, series, period, published[period], observations.values()), observations.values())
        for period, observations in sorted(found.items())
    ]


def _rows(mapping: Mapping, document: Document) -> list[Any]:
    try:
        rows = document.content if mapping.rows is None else mapping.rows.of(document.content)
    except ValueError as error:
        raise DeadLetterError("bad-document", f"{_named(document)}rows: {error}") from None
    if isinstance(rows, MappingOf):
        return [rows]
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise DeadLetterError("bad-document", f"{_named(document)}rows: found {type(rows).__name__}, expected a list")
    return rows


def _take(
    mapping: Mapping,
    series: Series,
    scope: dict[str, Any],
    found: dict[tuple[str, str], dict[ObservationKey, Observation]],
    published: dict[tuple[str, str], int],
) -> None:
    """Put one row where it belongs."""
    try:
        if mapping.where is not None and not mapping.where.of(scope):
            return
    except ValueError as error:
        raise _RowError(f"where: {error}") from None
    period = (_day("period.start", mapping.period.start, scope), _day("period.end", mapping.period.end, scope))
    if period[0] > period[1]:
        raise _RowError(f"period.start {period[0]} is after period.end {period[1]}")
    moment = _moment_ms(mapping.published, scope)
    observation = _observation(mapping, series, scope)
    group = found.setdefault(period, {})
    key = key_of(observation)
    if key in group:
        observation = _joined(mapping.duplicates, group[key], observation)
    group[key] = observation
    published[period] = max(moment, published.get(period, moment))


def _observation(mapping: Mapping, series: Series, scope: dict[str, Any]) -> Observation:
    fields = mapping.fields
    owner = series.owner_of(_text("owner", fields.owner, scope))
    values: dict[str, Any] = {"owner": owner, "value": _number("value", fields.value, scope)}
    for name in ("venue", "part", "item"):
        spec: Value | None = getattr(fields, name)
        if spec is not None:
            values[name] = _text(name, spec, scope)
    if fields.value_p5 is not None and fields.value_p95 is not None:
        values["value_p5"] = _number("value_p5", fields.value_p5, scope)
        values["value_p95"] = _number("value_p95", fields.value_p95, scope)
    residual = owner in series.residual_owners
    if fields.residual is not None:
        residual = _truth("residual", fields.residual, scope)
    try:
        return Observation(**values, residual=residual)
    except ValidationError as error:
        raise _RowError(first_problem(error)) from None


def _joined(rule: str, first: Observation, second: Observation) -> Observation:
    if rule == "largest":
        return second if second.value > first.value else first
    if rule == "sum" and first.value_p5 is None and second.value_p5 is None:
        return replace(first, value=first.value + second.value)
    if rule == "sum":
        raise _RowError(f"owner: {first.owner!r} comes twice with an interval, and intervals do not add up")
    raise _RowError(f"owner: {first.owner!r} comes twice in one release: see duplicates in the mapping")


def _head(
    mapping: Mapping, series: Series, period: tuple[str, str], published_at_ms: int, observations: Iterable[Observation]
) -> Head:
    made = tuple(observations)
    owners = {observation.owner for observation in made}
    lacking = [owner for owner in mapping.require_owners if owner not in owners]
    notes = [f"lacks {', '.join(lacking)}"] if lacking else []
    published = datetime.fromtimestamp(published_at_ms / 1000, UTC).date()
    parts = frozenset(observation.part for observation in made)
    notes += [note for note in [series.missing_coverage(parts, date.fromisoformat(period[1]), published)] if note]
    return head_of(
        series,
        *period,
        published_at_ms=published_at_ms,
        source=mapping.source,
        licence=mapping.licence,
        coverage_note="; ".join(notes),
        method=mapping.method,
    )


def _found(name: str, spec: Value, scope: dict[str, Any]) -> Any:
    try:
        value = spec.of(scope)
    except ValueError as error:
        raise _RowError(f"{name}: {error}") from None
    if value is None or value == "":
        raise _RowError(f"{name}: nothing at {spec.path.text if spec.path else spec.constant!r}")
    return value


def _text(name: str, spec: Value, scope: dict[str, Any]) -> str:
    value = _found(name, spec, scope)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _RowError(f"{name}: {str(value)[:80]!r} is no text")
    return str(value).strip()


def _number(name: str, spec: Value, scope: dict[str, Any]) -> float:
    value = _found(name, spec, scope)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _RowError(f"{name}: {str(value)[:80]!r} is no number")
    try:
        number = float(value) * spec.scale
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0:
        raise _RowError(f"{name}: {str(value)[:80]} is not a finite number of 0 or more")
    return number


def _truth(name: str, spec: Value, scope: dict[str, Any]) -> bool:
    value = _found(name, spec, scope)
    if isinstance(value, bool):
        return value
    truth = {"true": True, "false": False, "1": True, "0": False}.get(str(value).strip().lower())
    if truth is None:
        raise _RowError(f"{name}: {str(value)[:80]!r} is neither true nor false")
    return truth


def _day(name: str, spec: Value, scope: dict[str, Any]) -> str:
    """A day as it is written; of a time the UTC day, and one without zone is UTC."""
    value = _found(name, spec, scope)
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            return (moment.astimezone(UTC) if moment.tzinfo else moment).date().isoformat()
    except (ValueError, OverflowError):
        pass
    raise _RowError(f"{name}: {str(value)[:80]!r} is no day such as 2026-01-31")


def _moment_ms(spec: Value, scope: dict[str, Any]) -> int:
    """A day counts from its midnight UTC; a time without zone is UTC."""
    value = _found("published", spec, scope)
    moment = -1
    if isinstance(value, int) and not isinstance(value, bool):
        moment = value
    elif isinstance(value, str) and value.strip().isdecimal() and len(value.strip()) != _BASIC_DAY_CHARACTERS:
        moment = int(value)
    elif isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value.strip())
            moment = round(parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp() * 1000)
        except (ValueError, OverflowError):
            moment = -1
    if 0 <= moment < FIRST_PUBLICATION_MS:
        raise _RowError(f"published: {str(value)[:80]!r} is before 2000: expected milliseconds since 1970, not seconds")
    if not 0 <= moment <= 32_503_680_000_000:
        raise _RowError(f"published: {str(value)[:80]!r} is no day, time or milliseconds since 1970")
    return moment


def _named(document: Document) -> str:
    name = document.item or document.name
    return f"{name}: " if name else ""
