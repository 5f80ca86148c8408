"""Query parameters: each with its schema for OpenAPI and the function that reads it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from desk.web.api.api_errors import ApiError, nearest

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2106, 1, 1, tzinfo=UTC)
"""Header times are 32-bit seconds. An earlier or later moment means the same as these."""

MAX_SHOWN: Final = 60
_LOST_PLUS: Final = re.compile(r" (\d\d:?\d\d)$")


@dataclass(frozen=True, slots=True)
class RequestParameter:
    """`read` takes the text of the query and returns the value; ValueError names in one clause what was expected."""

    name: str
    description: str
    schema: dict[str, Any]
    read: Callable[[str], Any] = field(repr=False)
    default: Any = None

    def openapi(self) -> dict[str, Any]:
        """The parameter as OpenAPI describes it."""
        schema = self.schema if self.default is None else {**self.schema, "default": _plain(self.default)}
        described = {"name": self.name, "in": "query", "required": False, "description": self.description}
        return {**described, "schema": schema, **({"style": "form", "explode": False} if _is_list(schema) else {})}


def _is_list(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "array"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def read_parameters(parameters: Sequence[RequestParameter], given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A value for every parameter, from the pairs of a query. ApiError 422 names the first one that is wrong."""
    by_name = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for name, text in given:
        if name not in by_name:
            expected = ", ".join(by_name) or "none"
            raise ApiError(
                422,
                "unknown-parameter",
                f"there is no parameter {_shown(name)} here{nearest(name, by_name)}: expected some of {expected}",
            )
        if name in values:
            raise ApiError(422, "repeated-parameter", f"{name} is given twice", parameter=name)
        try:
            values[name] = by_name[name].read(text)
        except ValueError as error:
            raise ApiError(422, f"bad-{name.replace('_', '-')}", f"{name}: {error}", parameter=name) from None
    return {name: values.get(name, parameter.default) for name, parameter in by_name.items()}


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…")


def one_of(name: str, description: str, known: Sequence[str], default: str | None) -> RequestParameter:
    """One name of a list."""

    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f"expected one of {', '.join(known)}, not {_shown(text)}{nearest(text, known)}")
        return text

    return RequestParameter(name, description, {"type": "string", "enum": list(known)}, read, default)


def some_of(name: str, description: str, known: Sequence[str], default: tuple[str, ...]) -> RequestParameter:
    """Several names of a list, separated by commas; each at most once."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        for one in names:
            if one not in known:
                raise ValueError(f"{_shown(one)} is unknown{nearest(one, known)}; the catalogue lists all")
        if len(set(names)) != len(names):
            raise ValueError("a name is given twice")
        return names

    schema = {
        "type": "array",
        "items": {"type": "string", "enum": list(known)},
        "minItems": 1,
        "maxItems": len(known),
        "uniqueItems": True,
    }
    return RequestParameter(name, description, schema, read, default)


def whole_number(name: str, description: str, low: int, high: int, default: int | None = None) -> RequestParameter:
    """A whole number in decimal digits, within bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}, not {_shown(text)}")
        return int(text)

    return RequestParameter(name, description, {"type": "integer", "minimum": low, "maximum": high}, read, default)


def number_of(name: str, description: str, known: Sequence[int], default: int) -> RequestParameter:
    """One number of a list."""

    def read(text: str) -> int:
        if text not in map(str, known):
            raise ValueError(f"expected one of {', '.join(map(str, known))}, not {_shown(text)}")
        return int(text)

    return RequestParameter(name, description, {"type": "integer", "enum": list(known)}, read, default)


def flag(name: str, description: str, *, default: bool) -> RequestParameter:
    """true or false."""

    def read(text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError(f"expected true or false, not {_shown(text)}")
        return text == "true"

    return RequestParameter(name, description, {"type": "boolean"}, read, default)


def text(name: str, description: str, pattern: str, expected: str) -> RequestParameter:
    """A text that matches `pattern`; `expected` describes it."""

    def read(given: str) -> str:
        if not re.fullmatch(pattern, given, flags=re.ASCII):
            raise ValueError(f"expected {expected}, not {_shown(given)}")
        return given

    return RequestParameter(name, description, {"type": "string", "pattern": f"^(?:{pattern})$"}, read)


def moment(name: str, description: str) -> RequestParameter:
    """A day or a time of ISO 8601; UTC where no offset is given. A day is its first moment."""
    schema = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
    return RequestParameter(name, description, schema, read_moment)


def read_moment(given: str) -> datetime:
    """A day or a time in UTC, between EARLIEST and LATEST. A plus that became a space in the URL is read as a plus.

    >>> read_moment("2025-01-01T00:30:00 02:00").isoformat()
    '2024-12-31T22:30:00+00:00'
    """
    expected = f"expected a day or time such as 2025-01-31 or 2025-01-31T12:00:00Z, not {_shown(given)}"
    if not re.match(r"\d{4}-\d\d-\d\d", given):
        raise ValueError(expected)
    try:
        found = datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", given) if "T" in given else given)
    except ValueError:
        raise ValueError(expected) from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    if found <= EARLIEST:
        return EARLIEST
    return LATEST if found >= LATEST else found.astimezone(UTC)
