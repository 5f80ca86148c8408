"""YAML whose values carry their places, so that every mistake in a file is reported with its line. Pure.

The limits are those of `counterpoise.documents`. There the first refusal ends the reading; here a value that cannot be read is one
mistake among others, and only what makes the rest unreadable raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from counterpoise.documents import (
    LOADER,
    MAX_BYTES,
    MAX_DEPTH,
    ODD_ERRORS,
    DocumentError,
    document_error,
    odd_number,
)

Path = tuple[str | int, ...]
"""From the document down: the key of a mapping as text, or the place in a list, counted from 0."""

_DEFAULT_TAGS: Final = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class TextPlace(NamedTuple):
    """Line and column, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class MarkedYaml:
    """The plain value of a text, the place of each value and of each key by path, and why some of them could not be read.

    The reasons of `unread` are the end of a sentence that begins with the field. An unread value is None. A key that is given twice
    is unread the second time: the first value stands.
    """

    value: Any
    values: dict[Path, TextPlace] = field(default_factory=dict)
    keys: dict[Path, TextPlace] = field(default_factory=dict)
    unread: list[tuple[Path, TextPlace, str]] = field(default_factory=list)

    def place(self, path: Path) -> TextPlace:
        """Where a value stands; for one that is not there, the nearest value around it."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, TextPlace(1, 1))


def parse_marked_yaml(text: str) -> MarkedYaml:
    """Read a text. DocumentError, with its place, for what is no YAML, over MAX_BYTES characters or nested over MAX_DEPTH deep.

    Dates that do not exist, numbers over MAX_DIGITS or to another base than they seem, aliases, tags of collections and keys given
    twice are `unread`.
    """
    if len(text) > MAX_BYTES:
        raise DocumentError(f"over {MAX_BYTES} characters")
    try:
        return _Reader(text).document()
    except DocumentError:
        raise
    except (yaml.YAMLError, *ODD_ERRORS) as error:
        raise document_error(error) from None


class _Reader:
    """From events to values: the alias of an anchor is seen before it can stand for anything."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=LOADER)
        self._scalars = LOADER("")
        self._found = MarkedYaml(None)

    def document(self) -> MarkedYaml:
        value, documents = None, 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise DocumentError("a second document begins, expected one", *_place(event))
                value = self._value(next(self._events), ())
        return MarkedYaml(value, self._found.values, self._found.keys, self._found.unread)

    def _value(self, event: Any, path: Path) -> Any:
        self._found.values[path] = _place(event)
        if isinstance(event, yaml.AliasEvent):
            return self._unread(path, event, f"is the alias *{event.anchor}, which is not read: write the value out")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            raise DocumentError(f"nested over {MAX_DEPTH} deep", *_place(event))
        value = self._list(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)
        if event.tag not in _DEFAULT_TAGS:
            return self._unread(path, event, f"has the tag {event.tag}, which is not read: leave it out")
        return value

    def _list(self, path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._value(event, (*path, len(found))))
        return found

    def _mapping(self, path: Path) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        odd = 0
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                odd += 1
                inner = (*path, f"? {odd}")
                self._value(event, inner)
                self._unread(inner, event, "is a field without a plain name")
                self._value(next(self._events), (*path, f": {odd}"))
                continue
            inner = (*path, event.value)
            if inner in self._found.keys:
                self._unread(inner, event, "is given twice")
                # Its parts have places of their own, beside those of the first.
                self._value(next(self._events), (*path, f"{event.value} again at {_place(event)}"))
                continue
            self._found.keys[inner] = _place(event)
            found[event.value] = self._value(next(self._events), inner)
        return found

    def _scalar(self, event: Any, path: Path) -> Any:
        if problem := odd_number(event):
            return self._unread(path, event, f"is {problem}")
        tag = event.tag
        try:
            if tag in (None, "!"):
                tag = self._scalars.resolve(yaml.ScalarNode, event.value, event.implicit)
            value = self._scalars.construct_object(yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark))
        except (yaml.YAMLError, *ODD_ERRORS) as error:
            return self._unread(path, event, f"cannot be read: {document_error(error).problem}")
        if isinstance(value, (dict, list, set)):
            return self._unread(path, event, f"has the tag {event.tag}, which is not read: leave it out")
        return value

    def _unread(self, path: Path, event: Any, problem: str) -> None:
        self._found.unread.append((path, _place(event), problem))


def _place(event: Any) -> TextPlace:
    return TextPlace(event.start_mark.line + 1, event.start_mark.column + 1)
