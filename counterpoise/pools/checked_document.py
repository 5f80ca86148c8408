"""Checked reading of the YAML and JSON documents of this package: each getter returns a value of its type or explains itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml

from counterpoise.documents import DocumentError, parse_yaml
from counterpoise.errors import ConfigError
from counterpoise.pools.pool_registry import reject

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
MAX_TEXT_CHARACTERS = 500


def load_yaml(text: str, origin: str) -> object:
    """Return the plain value of a YAML text; ConfigError with the line where it is not YAML."""
    try:
        return parse_yaml(text)
    except DocumentError as error:
        raise ConfigError(f"{origin}: not a YAML file{error.place}: {error}") from error


def dump_yaml(document: object) -> str:
    """Return YAML with keys in the order given and every script readable."""
    return str(yaml.dump(document, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=120))


@dataclass(frozen=True, slots=True)
class Section:
    """One mapping of a document with the words that locate it in messages."""

    origin: str
    where: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, origin: str, where: str, value: object, allowed: Sequence[str]) -> Section:
        """Return the section, or raise ConfigError where it is no mapping or holds an unknown field."""
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            reject(origin, where, "value", value, "a mapping of fields")
        for key in value:
            if key not in allowed:
                reject(origin, where, "field", key, "one of " + ", ".join(allowed))
        return cls(origin, where, value)

    def named(self, where: str) -> Section:
        """Return the same section under a better name for messages."""
        return Section(self.origin, where, self.values)

    def fail(self, name: str, value: object, expected: str) -> None:
        """Raise the ConfigError for one field."""
        reject(self.origin, self.where, name, value, expected)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a non-empty text (or the default where the field is absent)."""
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT_CHARACTERS:
            reject(self.origin, self.where, name, value, f"a text of 1 to {MAX_TEXT_CHARACTERS} characters")
        return value

    def slug(self, name: str) -> str:
        """Return a slug: lower-case letters and digits in groups joined by single hyphens."""
        value = self.values.get(name)
        if not isinstance(value, str) or not _SLUG.fullmatch(value) or len(value) > 64:
            reject(self.origin, self.where, name, value, "a slug such as 'foundry-usa'")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        value = self.values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            reject(self.origin, self.where, name, value, f"a whole number from {low} to {high}")
        return value

    def items(self, name: str) -> list[Any]:
        """Return a list (empty where the field is absent)."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            reject(self.origin, self.where, name, value, "a list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of non-empty texts without repetition."""
        values = self.items(name)
        for value in values:
            if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT_CHARACTERS:
                reject(self.origin, self.where, name, value, f"texts of 1 to {MAX_TEXT_CHARACTERS} characters")
        return tuple(dict.fromkeys(values))

    def day(self, name: str) -> date | None:
        """Return a calendar day, or None where the field is absent; YAML dates and ISO texts are both read."""
        value = self.values.get(name)
        if value is None or type(value) is date:
            return value
        try:
            if isinstance(value, str):
                return date.fromisoformat(value)
        except ValueError:
            pass
        reject(self.origin, self.where, name, value, "a day such as 2022-07-01")
