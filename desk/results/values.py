"""Values of a result in other clothes: JSON, text for people, Arrow. Pure."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from desk.results.type_names import TypeName, parse_type

_ARROW_NUMBERS = {
    "Bool": pa.bool_(),
    **{f"UInt{bits}": getattr(pa, f"uint{bits}")() for bits in (8, 16, 32, 64)},
    **{f"Int{bits}": getattr(pa, f"int{bits}")() for bits in (8, 16, 32, 64)},
    "Float32": pa.float32(),
    "Float64": pa.float64(),
}
_ARROW_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}


def text_of_bytes(value: bytes) -> str:
    """Bytes as text: their UTF-8 where they are that, else their hexadecimal digits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def json_value(kind: TypeName, value: Any) -> Any:
    """What stands for `value` in JSON: numbers as numbers, times as ISO 8601 with Z, a named tuple as an object.

    NaN and infinity have no JSON and become null, as NULL does. FixedString, which holds hashes, is hexadecimal.
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
    return f"{item:.{digits}g}" if isinstance(item, float) else str(item)


def arrow_type(kind: TypeName) -> Any:
    """The Arrow type of a column; what has no counterpart is text, as in JSON."""
    bare = kind.bare
    if bare.name in _ARROW_NUMBERS:
        return _ARROW_NUMBERS[bare.name]
    if bare.name == "DateTime":
        return pa.timestamp("s", tz="UTC")
    if bare.name == "DateTime64" and int(bare.arguments[0]) in _ARROW_UNITS:
        return pa.timestamp(_ARROW_UNITS[int(bare.arguments[0])], tz="UTC")
    if bare.name in {"Date", "Date32"}:
        return pa.date32()
    if bare.name == "Array":
        return pa.list_(arrow_type(bare.inner[0]))
    if bare.name == "Tuple":
        labels = bare.labels or tuple(str(place) for place in range(1, len(bare.inner) + 1))
        return pa.struct([(label, arrow_type(part)) for label, part in zip(labels, bare.inner, strict=True)])
    return pa.string()


def arrow_value(kind: TypeName, value: Any) -> Any:
    """`value` as `arrow_type` takes it. NaN stays NaN: Arrow has it."""
    bare = kind.bare
    if value is None or bare.name in _ARROW_NUMBERS:
        return value
    if bare.name in {"DateTime", "DateTime64", "Date", "Date32"} and arrow_type(bare) != pa.string():
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
    if bare.name == "Array":
        return [arrow_value(bare.inner[0], item) for item in value]
    if bare.name == "Tuple":
        labels = bare.labels or tuple(str(place) for place in range(1, len(bare.inner) + 1))
        return {label: arrow_value(part, item) for label, part, item in zip(labels, bare.inner, value, strict=True)}
    found = json_value(bare, value)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def arrow_schema(heads: list[tuple[str, str]]) -> Any:
    """The Arrow schema of a result with these names and types."""
    return pa.schema([pa.field(name, arrow_type(parse_type(spec)), nullable=True) for name, spec in heads])


def arrow_batch(heads: list[tuple[str, str]], columns: list[Any]) -> Any:
    """One block of a result as a record batch of that schema."""
    schema = arrow_schema(heads)
    arrays = []
    for field, (_, spec), column in zip(schema, heads, columns, strict=True):
        kind = parse_type(spec)
        arrays.append(pa.array([arrow_value(kind, value) for value in column], field.type))
    return pa.record_batch(arrays, schema=schema)
