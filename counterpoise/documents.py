"""YAML and JSON from outside, read in bounded time and memory. Pure: bytes or text in, plain values out.

A file of rules, of pools, of series or a mapping may come from anywhere. DocumentError gives the reason in one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from counterpoise.visible import visible

MAX_BYTES: Final = 1 << 20
"""The size limit of a YAML file. The largest that is shipped has 31,000 bytes; a megabyte takes about a second to read."""
MAX_DEPTH: Final = 32
"""Of lists and mappings within each other. Ours have at most six."""
MAX_DIGITS: Final = 100
"""The digit limit of a number. Beyond it, some operations take time that grows with the square of the digits."""
_MAX_MESSAGE: Final = 200
LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9_.:eExXobabcdefABCDEF+-]*")
_OTHER_BASE: Final = re.compile(r"[-+]?(0[0-7_]*[0-7][0-7_]*|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
"""What YAML 1.1 takes for an octal number, or for one to the base of 60."""
ODD_ERRORS: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)
"""What PyYAML raises of values that its own grammar lets through: impossible dates, bad tags, keys that are lists."""


class DocumentError(ValueError):
    """Why a document is refused, in one line; `line` and `column` count from 1 and are None where the place is not known."""

    def __init__(self, problem: str, line: int | None = None, column: int | None = None) -> None:
        self.problem = _one_line(problem)
        self.line, self.column = line, column
        super().__init__(self.problem)

    @property
    def place(self) -> str:
        """` at line 3, column 7`, or nothing."""
        return "" if self.line is None else f" at line {self.line}, column {self.column}"


class _UniqueKeys(LOADER):  # type: ignore[misc]
    """Safe YAML that also refuses a key given twice, where YAML itself would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    _refuse(f"field {key.value!r} is given twice", key.start_mark)
                seen.add(key.value)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


def read_document(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The UTF-8 text of a file, of which no more than `max_bytes` are read. DocumentError, or OSError as `open`."""
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise DocumentError(f"over {max_bytes} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def parse_yaml(text: str) -> Any:
    """The plain value of a YAML text. DocumentError for whatever is no YAML or is refused.

    Refused are over MAX_BYTES characters, depths over MAX_DEPTH, numbers over MAX_DIGITS, octal ones and those to
    the base of 60, a key given twice, and aliases (`*name`), with which a short text stands for a huge one.
    """
    if len(text) > MAX_BYTES:
        raise DocumentError(f"over {MAX_BYTES} characters")
    try:
        _check(yaml.parse(text, Loader=LOADER))
        return yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a safe loader
    except DocumentError:
        raise
    except (yaml.YAMLError, *ODD_ERRORS) as error:
        raise document_error(error) from None


def document_error(error: Exception) -> DocumentError:
    """What PyYAML raised, in one line, with its place where it has one."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return DocumentError(str(error) or type(error).__name__)
    mark = error.problem_mark
    problem = error.problem or error.context or "not YAML"
    return DocumentError(problem, *((mark.line + 1, mark.column + 1) if mark else ()))


def odd_number(scalar: Any) -> str:
    """Why a scalar event is no number that is read; empty where it is none or a plain one.

    YAML takes `010` for 8 and `12:30` for 750. Whoever writes them means something else.
    """
    length = len(scalar.value)
    if length > MAX_DIGITS and (scalar.implicit[0] or scalar.tag) and _NUMBER.fullmatch(scalar.value):
        return f"a number of {length} characters, expected at most {MAX_DIGITS}"
    if scalar.implicit[0] and _OTHER_BASE.fullmatch(scalar.value):
        read = yaml.safe_load(scalar.value)
        if isinstance(read, int | float):
            return f"{scalar.value}, which YAML reads as {read}: write a plain number, or put it in quotes"
    return ""


def parse_json(text: str | bytes, max_bytes: int = 10_000_000) -> Any:
    """The plain value of a JSON text. DocumentError for whatever is no JSON or is refused.

    Refused are over `max_bytes`, depths over MAX_DEPTH, integers over MAX_DIGITS, NaN, infinities and lone surrogates.
    """
    if len(text) > max_bytes:
        raise DocumentError(f"over {max_bytes} bytes")
    try:
        found = json.loads(text, parse_constant=_no_number, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise DocumentError(error.msg, error.lineno, error.colno) from None
    except (ValueError, RecursionError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DocumentError(problem) from None
    _check_values(found)
    return found


def _check(events: Iterable[Any]) -> None:
    """Events come one by one, so that a text is refused before a value of it is built."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            _refuse(f"the alias *{event.anchor} is not read: write the value out", event.start_mark)
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                _refuse(f"nested over {MAX_DEPTH} deep", event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and (problem := odd_number(event)):
            _refuse(problem, event.start_mark)


def _check_values(found: Any) -> None:
    level, depth = [found], 0
    while level:
        if depth > MAX_DEPTH:
            raise DocumentError(f"nested over {MAX_DEPTH} deep")
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str) and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
                raise DocumentError("half a character (a lone surrogate) in a text")
        level, depth = below, depth + 1


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} characters, expected at most {MAX_DIGITS}")
    return int(digits)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number of JSON")


def _refuse(problem: str, mark: Any) -> NoReturn:
    raise DocumentError(problem, mark.line + 1, mark.column + 1)


def _one_line(text: str) -> str:
    shown = visible(" ".join(text.split()))
    return shown if len(shown) <= _MAX_MESSAGE else f"{shown[: _MAX_MESSAGE - 1]}…"
