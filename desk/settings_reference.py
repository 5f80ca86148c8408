"""docs/settings.md and the names of all variables, made from the settings themselves by `make generate`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from counterpoise.settings.model import Settings
from counterpoise.settings.section import SettingsSection
from desk.strange_variables import ANY_NAME, PREFIX

HEAD = """# Settings

Environment variables override the TOML file (`counterpoise.toml` in the working directory, or the file in
`COUNTERPOISE_CONFIG`). The file overrides the defaults below. In the file, `COUNTERPOISE_CLICKHOUSE__HOST` is `host` in the table
`[clickhouse]`. `counterpoise doctor` checks all settings. Prefer a file for a secret; it is never printed. `make generate`
writes this page from the code.
"""


def reference() -> str:
    """The whole page."""
    parts = [HEAD, "## General\n", _table(PREFIX, Settings)]
    for name, section in _sections(Settings):
        parts.append(f"## {name}\n\n{(section.__doc__ or '').strip()}\n")
        parts.append(_table(f"{PREFIX}{name.upper().replace('.', '__')}__", section))
    return "\n".join(parts)


def variables() -> frozenset[str]:
    """The name of every environment variable that is read; `NAME` in one stands for a name of your choice."""
    found = {f"{PREFIX}CONFIG", *(PREFIX + name.upper() for name in Settings.model_fields)}
    for path, section in _sections(Settings):
        above = PREFIX + path.upper().replace(".", "__")
        found |= {f"{above}__{name.upper()}" for name in section.model_fields}
    return frozenset(found)


def variable_names() -> str:
    """`desk/variable_names.txt`: these names, a line each."""
    return "".join(f"{name}\n" for name in sorted(variables()))


def _sections(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, type[SettingsSection]]]:
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, SettingsSection):
            path = f"{above}{name}"
            yield path, kind
            yield from _sections(kind, f"{path}.")
        elif named := _section_by_name(info):
            yield f"{above}{name}.{ANY_NAME}", named


def _section_by_name(info: FieldInfo) -> type[SettingsSection] | None:
    """The section of a setting that maps names of your choice to sections; None for any other setting."""
    kinds = get_args(info.annotation) if get_origin(info.annotation) is dict else ()
    return kinds[1] if kinds and isinstance(kinds[1], type) and issubclass(kinds[1], SettingsSection) else None


def _table(prefix: str, model: type[BaseModel]) -> str:
    rows, meanings = ["| variable | default | meaning |", "|---|---|---|"], _meanings(model)
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, SettingsSection):
            continue
        if _section_by_name(info):
            continue
        choices = _choices(info.annotation)
        meaning = " ".join((info.description or meanings.get(name, "")).split())
        rows.append(f"| `{prefix}{name.upper()}` | {_default(info)} | {meaning}{choices} |")
    return "\n".join(rows) + "\n"


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """The text below each field. pydantic could read it too, but in every process, which takes a tenth of a second."""
    [section] = ast.parse(inspect.getsource(model)).body
    assert isinstance(section, ast.ClassDef)  # noqa: S101 - for mypy
    return {
        field.target.id: str(text.value.value)
        for field, text in pairwise(section.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def _choices(kind: Any) -> str:
    if get_origin(kind) is not None and all(isinstance(value, str) for value in get_args(kind)) and get_args(kind):
        return " One of " + ", ".join(f"`{value}`" for value in get_args(kind)) + "."
    return ""


def _default(info: FieldInfo) -> str:
    if info.default_factory is not None:
        return "`~/.local/state/counterpoise`"
    value = info.default
    if value is None or value in ((), {}) or info.is_required():
        return ""
    if isinstance(value, SecretStr):
        return "(hidden)"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
