"""Named queries: SQL files whose header has their question, their parameters with types and defaults, and an example.

-- name: concentration_now
-- description: One line.
-- param view String = raw | what it means
-- param height UInt32 | a parameter without a default has to be given
-- example: counterpoise sql --name concentration_now
SELECT …
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from counterpoise.clickhouse.sql_files import sql_files
from counterpoise.errors import ConfigError

_HEADER = re.compile(r"-- (name|description|example): (.+)")
_PARAMETER = re.compile(r"-- param (\w+) ([\w(), ']+?)(?: = (.*?))? \| (.+)")
_USED = re.compile(r"\{(\w+):([^}]+)\}")


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """`default` is None for a parameter that has to be given."""

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One file of `sql/queries`."""

    name: str
    description: str
    example: str
    parameters: tuple[QueryParameter, ...]
    sql: str

    def bind(self, given: Mapping[str, str]) -> dict[str, str]:
        """Values for every parameter: those given over the defaults. ConfigError for one that does not exist or is missing."""
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise ConfigError(
                    f"query {self.name!r} has no parameter {name!r}{_near(name, names)}: it takes {', '.join(names) or 'none'}"
                )
        bound: dict[str, str] = {}
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is None:
                raise ConfigError(
                    f"query {self.name!r} needs --param {parameter.name}=… ({parameter.type}: {parameter.meaning})"
                )
            if parameter.type.startswith("Float") and not is_finite(value):
                raise ConfigError(f"--param {parameter.name} is {value[:40]!r}, expected a finite number")
            bound[parameter.name] = value
        return bound


def is_finite(text: str) -> bool:
    """Whether a text is a number other than `nan` and `inf`."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def parse_query(path: Path) -> NamedQuery:
    """Read one file; ConfigError where its header and its text do not fit together."""
    text = path.read_text(encoding="utf-8")
    heads: dict[str, str] = {}
    parameters: list[QueryParameter] = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        if match := _PARAMETER.fullmatch(line):
            default = None if match[3] is None else match[3].removeprefix("''")
            parameters.append(QueryParameter(match[1], match[2], default, match[4]))
        elif match := _HEADER.fullmatch(line):
            heads[match[1]] = match[2]
        else:
            raise ConfigError(f"{path}: not a line of a query's header: {line!r}")
    missing = {"name", "description", "example"} - heads.keys()
    if missing or heads["name"] != path.stem:
        raise ConfigError(f"{path}: the header lacks {sorted(missing)} or its name is not {path.stem!r}")
    declared = {(parameter.name, parameter.type) for parameter in parameters}
    used = set(_USED.findall(text))
    if declared != used:
        raise ConfigError(f"{path}: the header and the text differ in parameters: {sorted(declared ^ used)}")
    return NamedQuery(heads["name"], heads["description"], heads["example"], tuple(parameters), text)


@cache
def named_queries() -> Mapping[str, NamedQuery]:
    """Every named query that the package carries, by name. The files are read once in a process."""
    return MappingProxyType({path.stem: parse_query(path) for path in sql_files("queries")})


def named_query(name: str) -> NamedQuery:
    """One of them; ConfigError names the nearest one, or where the names are listed."""
    queries = named_queries()
    if name not in queries:
        near = _near(name, queries) or f" among {', '.join(queries)}"
        raise ConfigError(f"there is no query named {name!r}{near}; `counterpoise sql --list` shows what each answers")
    return queries[name]


def _near(name: str, known: Iterable[str]) -> str:
    """` (did you mean …?)` with the known names that `name` is probably a slip of; empty where there is none."""
    near = difflib.get_close_matches(name, list(known), 3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
