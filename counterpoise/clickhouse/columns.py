"""Columns between Python and ClickHouse's native format, a whole column at a time.

clickhouse-driver has a numpy mode, but it imports pandas (a dependency and 60 MB of memory that nothing else here needs) and
factorises every LowCardinality column as Python objects. A fixed-width column is its array's bytes, so this module writes and
reads those itself and leaves every other type, and every value that is not an array, to the driver.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from counterpoise.lazy_numpy import np

FIXED_WIDTH: Final[dict[str, str]] = {
    "Bool": "|u1",
    "UInt8": "|u1",
    "UInt16": "<u2",
    "UInt32": "<u4",
    "UInt64": "<u8",
    "Int8": "|i1",
    "Int16": "<i2",
    "Int32": "<i4",
    "Int64": "<i8",
    "Float32": "<f4",
    "Float64": "<f8",
}
_DATETIME64 = re.compile(r"DateTime64\((\d)")
_FIXED_STRING = re.compile(r"FixedString\((\d+)\)")
_TICKS: Final = {0: "s", 3: "ms", 6: "us", 9: "ns"}
_HAS_ADDITIONAL_KEYS = 1 << 9
_NEED_UPDATE_DICTIONARY = 1 << 10
_KEY_TYPES: Final = ((1 << 8, 0, "|u1"), (1 << 16, 1, "<u2"), (1 << 32, 2, "<u4"))


@dataclass(frozen=True, slots=True)
class Constant:
    """A column of `length` equal values, for an insert; costs nothing to build whatever the length."""

    value: Any
    length: int

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True, slots=True)
class Coded:
    """A String or LowCardinality(String) column given as distinct `values` and, for each row, the place of its value."""

    values: Sequence[str]
    codes: npt.NDArray[np.integer[Any]]

    def __len__(self) -> int:
        return len(self.codes)


Column: TypeAlias = "Constant | Coded | Sequence[Any] | npt.NDArray[Any]"
"""What `ClickHouse.insert` takes for a column."""


@lru_cache(maxsize=512)
def fixed_dtype(spec: str) -> np.dtype[Any] | None:
    """The little-endian dtype whose bytes are ClickHouse's for the type `spec`; None for a type without a fixed width.

    DateTime64 is its int64 ticks, Date its days since 1970, an Enum its integer, FixedString(n) n raw bytes.
    """
    if spec in FIXED_WIDTH:
        return np.dtype(FIXED_WIDTH[spec])
    if spec.startswith("DateTime64("):
        return np.dtype("<i8")
    if spec == "Date":
        return np.dtype("<u2")
    if spec == "DateTime" or spec.startswith("DateTime("):
        return np.dtype("<u4")
    if spec.startswith("Enum8("):
        return np.dtype("|i1")
    if spec.startswith("Enum16("):
        return np.dtype("<i2")
    length = fixed_string_length(spec)
    return np.dtype(f"V{length}") if length is not None else None


@lru_cache(maxsize=512)
def fixed_string_length(spec: str) -> int | None:
    """n of FixedString(n), else None."""
    match = _FIXED_STRING.fullmatch(spec)
    return int(match[1]) if match else None


def array_dtype(spec: str) -> np.dtype[Any] | None:
    """The dtype in which a column of type `spec` is handed to a reader as an array; None where it is handed over as a list."""
    if spec == "Bool":
        return np.dtype(np.bool_)
    match = _DATETIME64.match(spec)
    if match:
        unit = _TICKS.get(int(match[1]))
        return np.dtype(f"<M8[{unit}]") if unit else None
    if spec in FIXED_WIDTH:
        return np.dtype(FIXED_WIDTH[spec])
    return None


def encode(spec: str, items: Column) -> bytes | None:
    """The bytes of a column of type `spec` in the native format (with its prefix), or None: "let the driver write it".

    An integer that the type cannot hold raises ValueError; a float for an integer column raises TypeError.
    """
    if isinstance(items, Constant):
        return _encode_constant(spec, items)
    if isinstance(items, Coded):
        return _encode_coded(spec, items)
    if isinstance(items, np.ma.MaskedArray):
        if not spec.startswith("Nullable("):
            raise TypeError(f"a masked array needs a Nullable column, not {spec}")
        inner = encode(spec[9:-1], np.ma.filled(items, 0))
        return None if inner is None else np.ma.getmaskarray(items).astype(np.uint8).tobytes() + inner
    length = fixed_string_length(spec)
    if isinstance(items, np.ndarray):
        return _encode_array(spec, items)
    if isinstance(items, list) and spec.startswith("Array("):
        return _encode_lists(spec[6:-1], items)
    if length is not None and items and isinstance(items[0], bytes):
        if any(len(item) != length for item in items):
            raise ValueError(f"{spec} takes values of exactly {length} bytes")
        return b"".join(items)
    return None


def _encode_array(spec: str, items: npt.NDArray[Any]) -> bytes | None:
    length = fixed_string_length(spec)
    if length is not None:
        width = items.dtype.itemsize * (items.shape[1] if items.ndim == 2 else 1)
        if items.dtype.kind not in "SVu" or width != length:
            raise TypeError(f"{spec} takes an array of {length} bytes a row, not {items.dtype} of shape {items.shape}")
        return items.tobytes()
    if items.ndim == 2 and spec.startswith("Array("):
        return _encode_rows(spec[6:-1], items)
    dtype = fixed_dtype(spec)
    if dtype is None or items.ndim != 1:
        return None
    match = _DATETIME64.match(spec)
    if items.dtype.kind == "M" and match:
        items = items.astype(f"<M8[{_TICKS[int(match[1])]}]").view("<i8")
    return _cast(spec, items, dtype).tobytes()


def _encode_rows(spec: str, items: npt.NDArray[Any]) -> bytes | None:
    """An array a row, all of one length: where each ends, then all items."""
    flat = encode(spec, np.ascontiguousarray(items).reshape(-1))
    ends = np.arange(1, len(items) + 1, dtype="<u8") * np.uint64(items.shape[1])
    return None if flat is None else ends.tobytes() + flat


def _encode_lists(spec: str, items: list[Any]) -> bytes | None:
    """The same of arrays of any lengths: numbers of one kind in a type of fixed width; all else is the driver's to write."""
    if spec not in FIXED_WIDTH or spec == "Bool" or not all(isinstance(item, list | tuple) for item in items):
        return None
    values = list(chain.from_iterable(items))
    if any(type(value) not in {int, float} for value in values):
        return None
    flat = np.array(values, np.float64 if spec.startswith("Float") else None)
    if flat.dtype.kind not in "iuf" or (flat.dtype.kind == "f" and not spec.startswith("Float")):
        return None if len(flat) else np.zeros(len(items), "<u8").tobytes()
    ends = np.cumsum(np.fromiter(map(len, items), np.uint64, len(items)), dtype=np.uint64)
    return ends.astype("<u8").tobytes() + _cast(spec, flat, np.dtype(FIXED_WIDTH[spec])).tobytes()


def _cast(spec: str, items: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if items.dtype == dtype or items.dtype.kind == "b":
        return items.astype(dtype, copy=False)
    if items.dtype.kind not in "iuf" or (items.dtype.kind == "f" and dtype.kind != "f"):
        raise TypeError(f"a column of type {spec} does not take an array of {items.dtype}")
    if dtype.kind in "iu" and len(items):
        bounds = np.iinfo(dtype)
        low, high = int(items.min()), int(items.max())
        if low < bounds.min or high > bounds.max:
            raise ValueError(f"{low if low < bounds.min else high} does not fit a column of type {spec}")
    return items.astype(dtype)


def _encode_constant(spec: str, items: Constant) -> bytes | None:
    if spec in {"String", "LowCardinality(String)"}:
        return _encode_coded(spec, Coded((items.value,), np.zeros(items.length, np.uint8)))
    length = fixed_string_length(spec)
    if length is not None and isinstance(items.value, bytes):
        return encode(spec, [items.value] * items.length)
    if fixed_dtype(spec) is not None and isinstance(items.value, int | float | np.generic):
        return encode(spec, np.full(items.length, items.value))
    return None


def _encode_coded(spec: str, items: Coded) -> bytes | None:
    encoded = [_string(value) for value in items.values]
    if len(items) and not 0 <= int(items.codes.min()) <= int(items.codes.max()) < len(encoded):
        raise ValueError("a code names no value")
    if spec == "String":
        if len(encoded) == 1:
            return encoded[0] * len(items)
        return b"".join([encoded[code] for code in items.codes.tolist()])
    if spec != "LowCardinality(String)":
        return None
    prefix = (1).to_bytes(8, "little")
    if not len(items):
        return prefix
    key_type, dtype = next((number, dtype) for limit, number, dtype in _KEY_TYPES if len(encoded) <= limit)
    return b"".join(
        (
            prefix,
            (_HAS_ADDITIONAL_KEYS | _NEED_UPDATE_DICTIONARY | key_type).to_bytes(8, "little"),
            len(encoded).to_bytes(8, "little"),
            *encoded,
            len(items).to_bytes(8, "little"),
            items.codes.astype(dtype).tobytes(),
        )
    )


def _string(value: str) -> bytes:
    """A String of the native format: its length as a varint, then its UTF-8."""
    raw = value.encode()
    size = len(raw)
    head = bytearray()
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + raw


def concatenate(first: Mapping[str, Column], second: Mapping[str, Column]) -> dict[str, Column]:
    """The rows of `first` and then those of `second`, which has the same columns, as one insert."""
    if first.keys() != second.keys():
        raise ValueError(f"columns differ: {sorted(first.keys() ^ second.keys())}")
    return {name: _joined(first[name], second[name]) for name in first}


def _joined(a: Column, b: Column) -> Column:
    if isinstance(a, Constant) and isinstance(b, Constant):
        if a.value == b.value:
            return Constant(a.value, a.length + b.length)
        return as_list(a) + as_list(b) if isinstance(a.value, str | bytes) else np.array(as_list(a) + as_list(b))
    if isinstance(a, np.ndarray):
        return np.concatenate([a, _as_array(b, a.dtype)])
    if isinstance(b, np.ndarray):
        return np.concatenate([_as_array(a, b.dtype), b])
    return as_list(a) + as_list(b)


def _as_array(items: Column, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Of the other part's type, for numpy would make floats of signed and unsigned integers together."""
    if isinstance(items, np.ndarray):
        return items
    return np.full(items.length, items.value, dtype) if isinstance(items, Constant) else np.array(as_list(items), dtype)


def as_list(items: Column) -> list[Any]:
    """The column as a list of Python values, which is what the driver's own writers take (they may change it in place)."""
    if isinstance(items, Constant):
        return [items.value] * items.length
    if isinstance(items, Coded):
        return [items.values[code] for code in items.codes.tolist()]
    if isinstance(items, np.ndarray):
        listed: list[Any] = items.tolist()
        return listed
    return list(items)
