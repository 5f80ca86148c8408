"""Values of a result as JSON and as text for people. Pure."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from desk.results.type_names import TypeName

_NO_TYPE = TypeName("")


def text_of_bytes(value: bytes) -> str:
    """Bytes as text: their UTF-8 where they are that, else their hexadecimal digits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def json_value(kind: TypeName, value: Any) -> Any:
    """What stands for `value` in JSON: numbers as numbers, times as ISO 8601 with Z, a named tuple as an object.

    NaN and infinity have no JSON and become null, as NULL does. FixedString, which holds hashes, is hexadecimal. Values of a type
    whose parts have no named types (JSON, Point) are written by their form.
    """
    kind = kind.bare
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if kind.name == "Array":
        return [json_value(kind.inner[0], item) for item in value]
    if kind.name == "Tuple":
        items = [json_value(part, item) for part, item in zip(kind.inner, value, strict=True)]
        return dict(zip(kind.labels, items, strict=True)) if kind.labels else items
    if kind.name == "Map":
        return {str(json_value(kind.inner[0], key)): json_value(kind.inner[1], item) for key, item in value.items()}
    if isinstance(value, dict):
        return {str(key): json_value(_NO_TYPE, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(_NO_TYPE, item) for item in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return value.hex() if kind.name == "FixedString" else text_of_bytes(value)
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment.isoformat(timespec="auto").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, bool | int | float | str) else str(value)


def plain_text(kind: TypeName, value: Any, *, digits: int | None = None) -> str:
    """One cell of CSV (every digit) or of a table for people (`digits` significant ones): NULL and NaN as in JSON, but empty."""
    found = json_value(kind, value)
    if found is None:
        return ""
    if isinstance(found, float):
        return repr(found) if digits is None else f"{found:.{digits}g}"
    if digits is not None and isinstance(found, list):
        return ", ".join(_short(item, digits) for item in found)
    if digits is not None and isinstance(found, str):
        return found.removesuffix("Z").replace("T", " ") if isinstance(value, datetime) else found
    if isinstance(found, list | dict):
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return str(found).lower() if isinstance(found, bool) else str(found)


def _short(item: Any, digits: int) -> str:
    if isinstance(item, dict):
        return " ".join(_short(part, digits) for part in item.values())
    if isinstance(item, list):
        return " ".join(_short(part, digits) for part in item)
    return f"{item:.{digits}g}" if isinstance(item, float) else item if isinstance(item, str) else json.dumps(item)
