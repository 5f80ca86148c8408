"""The rules file: YAML in, checked rules out; any mistake is one line with the place, the value and what was expected."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from alerts.rules.rule import Rule
from alerts.rules.rule_types import RULE_TYPES
from counterpoise.documents import DocumentError, parse_yaml
from counterpoise.errors import ConfigError

MAX_FILE_BYTES = 256 * 1024
SHIPPED = "the shipped rules"
NEXT_STEP = "correct it, then check with `counterpoise alerts rules`"


def load_rules(path: Path | None) -> tuple[Rule, ...]:
    """Read and check a rules file, or the shipped one; ConfigError with one line for the first mistake."""
    if path is None:
        return parse_rules(resources.files("alerts").joinpath("rules.yaml").read_text(encoding="utf-8"), SHIPPED)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"rules file {str(path)!r} cannot be read ({error.strerror}): "
            "set COUNTERPOISE_ALERTS__RULES_FILE to a file, or leave it out for the shipped rules"
        ) from None
    name = f"rules file {str(path)!r}"
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{name} has over {MAX_FILE_BYTES} bytes: {NEXT_STEP}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 at byte {error.start}: save it as UTF-8, {NEXT_STEP[12:]}") from None
    return parse_rules(text, name)


def load_judged_rules(path: Path | None) -> tuple[Rule, ...]:
    """The rules as they are judged: `load_rules`, with one rule for each chain in the place of a rule on all."""
    return tuple(judged for rule in load_rules(path) for judged in rule.per_chain())


def parse_rules(text: str, name: str) -> tuple[Rule, ...]:
    """Check the text of a rules file; `name` is how messages call it. Pure."""
    document = _parse_yaml(text, name)
    if not isinstance(document, dict):
        _refuse(name, f"holds {_kind(document)}, expected a mapping with `version` and `rules`")
    for field in document:
        if field not in ("version", "rules"):
            _refuse(name, f"field {_show(field)} is unknown, expected only `version` and `rules`")
    if document.get("version") != 1 or isinstance(document.get("version"), bool):
        _refuse(name, f"field 'version' is {_show(document.get('version'))}, expected 1")
    entries = document.get("rules")
    if not isinstance(entries, list) or not entries:
        _refuse(name, f"field 'rules' is {_kind(entries)}, expected a list of at least one rule")
    rules: list[Rule] = []
    for number, entry in enumerate(entries, start=1):
        rule = _parse_rule(entry, name, number)
        if any(rule.id == other.id for other in rules):
            _refuse(
                name,
                f"rule {rule.id!r} (number {number}): field 'id' is {rule.id!r}, expected a name that no other rule has",
            )
        rules.append(rule)
    return tuple(rules)


def _parse_rule(entry: object, name: str, number: int) -> Rule:
    if not isinstance(entry, dict):
        _refuse(name, f"rule number {number} is {_kind(entry)}, expected a mapping of fields")
    rule_id = entry.get("id")
    where = f"rule {rule_id!r} (number {number})" if isinstance(rule_id, str) else f"rule number {number}"
    if "type" not in entry:
        _refuse(name, f"{where}: field 'type' is missing, expected one of {', '.join(RULE_TYPES)}")
    kind = entry["type"]
    model = RULE_TYPES.get(kind) if isinstance(kind, str) else None
    if model is None:
        _refuse(name, f"{where}: field 'type' is {_show(kind)}, expected one of {', '.join(RULE_TYPES)}")
    for field in entry:
        if field not in model.model_fields:
            close = difflib.get_close_matches(str(field), model.model_fields, n=1)
            hint = f", perhaps {close[0]!r} was meant" if close else f", expected {', '.join(model.model_fields)}"
            _refuse(name, f"{where}: field {_show(field)} is unknown to type {kind!r}{hint}")
    try:
        rule = model.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = str(first["loc"][0])
        wanted = model.model_fields[field].description
        if first["type"] == "missing":
            _refuse(name, f"{where}: field {field!r} is missing, expected {wanted}")
        _refuse(name, f"{where}: field {field!r} is {_show(entry.get(field))}, expected {wanted}")
    found = rule.mistake()
    if found:
        _refuse(name, f"{where}: field {found[0]!r} is {_show(found[1])}, expected {found[2]}")
    return rule


def _parse_yaml(text: str, name: str) -> Any:
    try:
        return parse_yaml(text)
    except DocumentError as error:
        line = f" at line {error.line}" if error.line else ""
        _refuse(name, f"is not valid YAML{line}: {error}")


def _refuse(name: str, what: str) -> NoReturn:
    raise ConfigError(
        f"{name}, {what}: {NEXT_STEP}" if not what.startswith(("holds", "is ")) else f"{name} {what}: {NEXT_STEP}"
    )


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    names = {dict: "a mapping", list: "a list", str: "text", bool: "a switch", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__) if value != [] else "an empty list"


def _show(value: object) -> str:
    return "missing" if value is None else repr(value)[:80]
