"""ClickHouse's names of types, taken apart: `Array(Tuple(pool String, blocks UInt16))` as a tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_ELEMENT_NAME = re.compile(r"(`(?:[^`\\]|\\.)+`|[A-Za-z_]\w*)\s+(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class TypeName:
    """`name` without its arguments; `arguments` as written; `inner` the types inside; `labels` the names of a named Tuple's parts."""

    name: str
    arguments: tuple[str, ...] = ()
    inner: tuple[TypeName, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def bare(self) -> TypeName:
        """The type without LowCardinality and Nullable around it."""
        return self.inner[0].bare if self.name in {"LowCardinality", "Nullable"} else self

    @property
    def nullable(self) -> bool:
        """Whether NULL is one of its values."""
        return self.name == "Nullable" or (self.name == "LowCardinality" and self.inner[0].nullable)


@lru_cache(maxsize=512)
def parse_type(spec: str) -> TypeName:
    """The tree of a type's name. Raises ValueError where brackets do not match."""
    name, bracket, rest = spec.strip().partition("(")
    if not bracket:
        return TypeName(name)
    if not rest.endswith(")"):
        raise ValueError(f"not a type name: {spec!r}")
    arguments = tuple(_split(rest[:-1]))
    if name not in {"Array", "Tuple", "Nullable", "LowCardinality", "Map", "Nested", "Variant"}:
        return TypeName(name, arguments)
    matches = [_ELEMENT_NAME.match(argument) for argument in arguments]
    labels = tuple(match[1].strip("`") for match in matches if match)
    inner = tuple(
        parse_type(argument[match.end() :] if match else argument)
        for argument, match in zip(arguments, matches, strict=True)
    )
    return TypeName(name, arguments, inner, labels if len(labels) == len(inner) else ())


def _split(text: str) -> list[str]:
    """Cut at the commas that are outside brackets and quotes."""
    parts: list[str] = []
    depth = start = 0
    quote = ""
    escaped = False
    for at, character in enumerate(text):
        if quote:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == quote:
                quote = ""
        elif character in "'`":
            quote = character
        elif character == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
        else:
            depth += (character == "(") - (character == ")")
    parts.append(text[start:].strip())
    return parts
