"""Find the columns of a replay file by their names, and bring their cells to the types of a block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from counterpoise.contracts.blocks import MAX_CONTENT, MAX_PAYOUT_ADDRESSES, MAX_SATS, MAX_SCRIPT_HEX
from counterpoise.errors import ConfigError
from ingest.blocks.sources.block_columns import BlockColumns
from ingest.blocks.sources.replay_faults import MAX_SHOWN, FileFaults

MAX_HEIGHT = 0x7FFF_FFFF
MAX_UINT32 = 0xFFFF_FFFF
MAX_TEXT = 128

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "height": ("height", "blockheight", "number", "blocknumber", "blockid", "id"),
    "time": ("time", "timestamp", "date", "headertime", "blocktime"),
    "label": ("poolslug", "pool", "label", "poolname", "miner", "guessedminer", "miningpool"),
    "script": ("coinbasescript", "scriptsig", "coinbaseraw", "coinbase", "coinbasedatahex", "coinbaseparam"),
    "addresses": ("payoutaddresses", "coinbaseaddresses", "addresses", "address"),
    "bits": ("bits",),
    "hash": ("hash", "blockhash", "id"),
    "prev_hash": ("prevhash", "previousblockhash", "prev"),
    "fees": ("feessats", "totalfees", "fees"),
    "transactions": ("transactions", "transactioncount", "txcount", "ntx"),
    "size": ("sizebytes", "size"),
    "weight": ("weight",),
}
"""The names that each column goes by, compared by letters and digits without case; the first that is there is taken.

`id` is the height in a file without a better name for it (Blockchair), and else the hash (mempool).
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """The file's own names of the columns, None where it has none."""

    height: str
    time: str
    label: str | None = None
    script: str | None = None
    addresses: str | None = None
    bits: str | None = None
    hash: str | None = None
    prev_hash: str | None = None
    fees: str | None = None
    transactions: str | None = None
    size: str | None = None
    weight: str | None = None

    @classmethod
    def detect(cls, path: Path, names: Sequence[str]) -> Layout:
        """ConfigError where height or time is missing, or all of label, script and addresses, or the hash to a previous hash."""
        plain = {"".join(filter(str.isalnum, name.lower())): name for name in reversed(names)}
        found = {field: next((plain[n] for n in known if n in plain), None) for field, known in NAMES.items()}
        if found["hash"] == found["height"]:
            found["hash"] = None
        has = ", ".join(names[:30]) or "none"
        for field in ("height", "time"):
            if found[field] is None:
                raise ConfigError(
                    f"{path}: no column for {field}: expected one named {' or '.join(NAMES[field])}; it has: {has}"
                )
        if found["label"] is None and found["script"] is None and found["addresses"] is None:
            raise ConfigError(
                f"{path}: no column names the producer: expected a column pool, coinbase_script or payout_addresses; it has: {has}"
            )
        if found["hash"] is None and found["prev_hash"] is not None:
            raise ConfigError(
                f"{path}: it has a column for prev_hash and none for hash: give both, hash alone, or neither"
            )
        return cls(**found)  # type: ignore[arg-type]

    @property
    def used(self) -> tuple[str, ...]:
        """The file's columns that matter."""
        every = (
            self.height,
            self.time,
            self.label,
            self.script,
            self.addresses,
            self.bits,
            self.hash,
            self.prev_hash,
            self.fees,
            self.transactions,
            self.size,
            self.weight,
        )
        return tuple(dict.fromkeys(name for name in every if name is not None))


def typed_columns(faults: FileFaults, layout: Layout, table: pa.Table, first_row: int) -> BlockColumns:
    """A chunk as block columns.

    Each cell that does not fit is a fault. Its value is then of no meaning, apart from a height, which is −1.
    """

    def cells(name: str) -> _Cells:
        return _Cells(faults, name, first_row, table.column(name).combine_chunks())

    def counts(name: str | None) -> Sequence[int | None] | None:
        return None if name is None else _contents(table.column(name))

    addresses = None if layout.addresses is None else cells(layout.addresses).addresses()
    return BlockColumns(
        first_row=first_row,
        heights=[-1 if height is None else height for height in cells(layout.height).whole_numbers(0, MAX_HEIGHT)],
        times=cells(layout.time).times(),
        labels=None if layout.label is None else cells(layout.label).texts(),
        scripts=None if layout.script is None else cells(layout.script).hex(None, MAX_SCRIPT_HEX),
        addresses=addresses,
        bits=None if layout.bits is None else cells(layout.bits).bits(),
        hashes=None if layout.hash is None else cells(layout.hash).hex(64, 64, required=True),
        prev_hashes=None if layout.prev_hash is None else cells(layout.prev_hash).hex(64, 64, required=True),
        fees=None if layout.fees is None else cells(layout.fees).whole_numbers(0, MAX_SATS, required=False),
        transactions=counts(layout.transactions),
        sizes=counts(layout.size),
        weights=counts(layout.weight),
    )


def _contents(column: pa.ChunkedArray) -> list[int | None]:
    """Transactions, bytes or weight. They decide nothing: what is no whole number from 1 to MAX_CONTENT is left out."""
    try:
        values = column.cast(pa.int64()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = [str(value).strip() for value in column.to_pylist()]
        values = [int(text) if text.isascii() and text.isdecimal() and len(text) < 11 else None for text in texts]
    return [value if value is not None and 1 <= value <= MAX_CONTENT else None for value in values]


class _Cells:
    """One column of a chunk. Whole columns are converted at once; only a failure looks for the cells that caused it."""

    def __init__(self, faults: FileFaults, name: str, first_row: int, array: Any) -> None:
        self._faults, self._name, self._first_row = faults, name, first_row
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_large_string(array.type):
            array = array.cast(pa.string())
        self._array = array
        self._bad: list[int] = []

    def whole_numbers(self, low: int, high: int, *, required: bool = True) -> list[Any]:
        expected = f"a whole number, {low} to {high}"
        array = self._array
        if pa.types.is_string(array.type):
            array = pc.utf8_trim_whitespace(array)
        if pa.types.is_boolean(array.type):
            return self._none_fits(expected)
        try:
            numbers = array.cast(pa.int64())
        except pa.ArrowException:
            numbers = self._each(lambda cell: pa.scalar(cell).cast(pa.int64()).as_py(), low, expected)
        if required:
            self._refuse(pc.is_null(numbers), expected)
        self._refuse(pc.or_(pc.less(numbers, low), pc.greater(numbers, high)), expected)
        values = numbers.to_pylist()
        for index in self._bad:
            values[index] = None
        return list(values)

    def times(self) -> list[int]:
        expected = "a time in UTC: seconds since 1970, a timestamp, or text like 2024-06-01T12:00:00Z"
        array = self._array
        if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
            seconds = (
                pc.floor_temporal(array.cast(pa.timestamp("us")), unit="second")
                .cast(pa.timestamp("s"))
                .cast(pa.int64())
            )
        elif pa.types.is_string(array.type):
            seconds = self._times_from_text(array, expected)
        elif pa.types.is_integer(array.type):
            seconds = array.cast(pa.int64())
        else:
            return self._none_fits(expected)
        self._refuse(pc.is_null(seconds), expected)
        self._refuse(pc.or_(pc.less(seconds, 0), pc.greater(seconds, MAX_UINT32)), expected)
        return list(seconds.to_pylist())

    def texts(self) -> list[str | None]:
        expected = f"text of at most {MAX_TEXT} characters"
        try:
            array = pc.utf8_trim_whitespace(self._array.cast(pa.string()))
        except pa.ArrowException:
            return self._none_fits(expected)
        self._refuse(pc.greater(pc.utf8_length(array), MAX_TEXT), expected)
        return list(array.to_pylist())

    def hex(self, low: int | None, high: int, *, required: bool = False) -> list[Any]:
        expected = f"{high} hexadecimal digits" if low else f"an even number of hexadecimal digits, at most {high}"
        if pa.types.is_binary(self._array.type) or pa.types.is_fixed_size_binary(self._array.type):
            cells = self._array.to_pylist()
            array = pa.array([None if cell is None else cell.hex() for cell in cells], pa.string())
        elif pa.types.is_string(self._array.type):
            array = pc.utf8_lower(pc.utf8_trim_whitespace(self._array))
        else:
            return self._none_fits(expected)
        if required:
            self._refuse(pc.is_null(array), expected)
        length = pc.utf8_length(array)
        odd = pc.invert(pc.match_substring_regex(array, "^([0-9a-f]{2})*$"))
        self._refuse(pc.or_(odd, pc.or_(pc.greater(length, high), pc.less(length, low or 0))), expected)
        return list(array.to_pylist())

    def bits(self) -> list[int | None]:
        """Compact targets: whole numbers, or eight hexadecimal digits as nodes print them."""
        if not pa.types.is_string(self._array.type):
            return list(self.whole_numbers(1, MAX_UINT32, required=False))

        def target(cell: str) -> int:
            number = int(cell, 16) if len(cell) == 8 else int(cell)
            if not 1 <= number <= MAX_UINT32:
                raise ValueError(cell)
            return number

        expected = "a compact target: eight hexadecimal digits or a whole number"
        return list(self._each(target, 1, expected).to_pylist())

    def addresses(self) -> list[tuple[str, ...] | None]:
        expected = f"at most {MAX_PAYOUT_ADDRESSES} addresses, as a list or separated by spaces"
        found: list[tuple[str, ...] | None] = []
        for index, cell in enumerate(self._array.to_pylist()):
            parts = cell.replace(";", " ").split() if isinstance(cell, str) else cell
            if cell is None:
                found.append(None)
            elif (
                not isinstance(parts, list)
                or len(parts) > MAX_PAYOUT_ADDRESSES
                or not all(isinstance(part, str) and 1 <= len(part) <= MAX_TEXT for part in parts)
            ):
                self._wrong([index], expected)
                found.append(None)
            else:
                found.append(tuple(parts))
        return found

    def _times_from_text(self, array: Any, expected: str) -> Any:
        for kind in (pa.int64(), pa.timestamp("s", "UTC"), pa.timestamp("s")):
            try:
                return array.cast(kind).cast(pa.int64())
            except pa.ArrowException:
                continue
        return self._each(_seconds, 0, expected)

    def _each(self, convert: Callable[[Any], int], instead: int, expected: str) -> Any:
        """Cell by cell; one that cannot be converted is a fault and becomes `instead`."""
        values, bad = [], []
        for index, cell in enumerate(self._array.to_pylist()):
            try:
                values.append(None if cell is None else convert(cell.strip() if isinstance(cell, str) else cell))
            except (pa.ArrowException, ValueError, OverflowError):
                bad.append(index)
                values.append(instead)
        self._wrong(bad, expected)
        return pa.array(values, pa.int64())

    def _none_fits(self, expected: str) -> list[Any]:
        self._wrong(range(len(self._array)), expected)
        return [0] * len(self._array)

    def _refuse(self, mask: Any, expected: str) -> None:
        wrong = pc.indices_nonzero(pc.fill_null(mask, False))
        self._wrong(wrong.to_pylist() if len(wrong) else (), expected)

    def _wrong(self, indices: Sequence[int], expected: str) -> None:
        self._bad += indices
        for index in indices[:MAX_SHOWN]:
            row = self._faults.row_of(self._first_row + index)
            cell = self._array[index].as_py()
            shown = "it is empty" if cell is None or cell == "" else repr(cell)[:80]
            self._faults.add(row, f"column {self._name!r}, row {row}: {shown}: expected {expected}")
        self._faults.add_uncounted(max(0, len(indices) - MAX_SHOWN))


def _seconds(text: str) -> int:
    if text.isdecimal():
        return int(text)
    when = datetime.fromisoformat(text.removesuffix(" UTC"))
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
