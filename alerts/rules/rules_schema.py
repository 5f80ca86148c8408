"""The JSON Schema of rules files, for editors: made from the models, the chains, the metrics and the catalogue. Pure.

A file that `read_rules` accepts is valid by it. The converse does not hold: what only several fields or rules together decide (a
clearing line over the line, an id given twice) is checked by `read_rules` alone.
"""

from __future__ import annotations

import inspect
import json
from typing import Any, Final

from alerts.rules.line import Line
from alerts.rules.rule import DURATION_FORMAT, HeightRule, Rule
from alerts.rules.rule_types import RULE_TYPES
from alerts.rules.rules_document import VERSION
from counterpoise.spans import SECONDS_OF
from counterpoise.windows import WINDOWS_BLOCKS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def rules_schema() -> dict[str, Any]:
    """The schema of a whole file."""
    return {
        "$schema": DIALECT,
        "title": "Rules of Counterpoise",
        "description": "docs/rules.md explains every type and field; `counterpoise rules check` checks a file.",
        "type": "object",
        "required": ["version", "rules"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": VERSION, "description": f"The version of this format: {VERSION}."},
            "rules": {
                "type": "array",
                "minItems": 1,
                "description": "At least one rule.",
                "items": {
                    "type": "object",
                    "required": ["id", "type"],
                    "properties": {
                        "type": {
                            "enum": list(RULE_TYPES),
                            "description": "What the rule judges; the other fields depend on it.",
                        }
                    },
                    "allOf": [
                        {
                            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                            "then": {"$ref": f"#/$defs/{name}"},
                        }
                        for name in RULE_TYPES
                    ],
                },
            },
        },
        "$defs": {name: _type_schema(model) for name, model in RULE_TYPES.items()},
    }


def schema_text() -> str:
    """The schema as a file."""
    return json.dumps(rules_schema(), ensure_ascii=False, indent=2) + "\n"


def _type_schema(model: type[Rule]) -> dict[str, Any]:
    found = model.model_json_schema()
    inner = {name: _inner_schema(one) for name, one in found.get("$defs", {}).items()}
    fields = {name: _field_schema(_inlined(field, inner)) for name, field in found["properties"].items()}
    fields["type"] = {"const": model.model_fields["type"].default, "description": "the type of this rule"}
    schema: dict[str, Any] = {
        "type": "object",
        "description": _first_paragraph(model),
        "required": sorted({"id", "type", *found.get("required", ())}),
        "additionalProperties": False,
        "properties": fields,
    }
    if issubclass(model, HeightRule):
        schema["allOf"] = [_hold_within(model, window) for window in WINDOWS_BLOCKS]
    return {**schema, **model.SCHEMA}


def _field_schema(field: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in field.items() if name != "title"}
    default = found.get("default")
    if found.get("format") == DURATION_FORMAT:
        del found["format"]
        if default is not None:
            found["default"] = _duration(default)
    if default is None:
        found.pop("default", None)
    return found


def _inner_schema(found: dict[str, Any]) -> dict[str, Any]:
    """The schema of a mapping inside a rule. A line has exactly one operator."""
    fields = {name: _field_schema(field) for name, field in found["properties"].items()}
    for field in fields.values():
        if field.get("default") not in field.get("enum", [field.get("default")]):
            del field["default"]  # stands for a field that is left out
    one_of_them = Line.SCHEMA if set(fields) == set(Line.model_fields) else {}
    return {"type": "object", "additionalProperties": False, "properties": fields, **one_of_them}


def _inlined(schema: Any, inner: dict[str, dict[str, Any]]) -> Any:
    """A schema with each mapping that it refers to in its place."""
    if isinstance(schema, list):
        return [_inlined(one, inner) for one in schema]
    if not isinstance(schema, dict):
        return schema
    named = schema.get("$ref", "").rpartition("/")[2] if isinstance(schema.get("$ref"), str) else ""
    rest = {name: _inlined(value, inner) for name, value in schema.items() if name != "$ref"}
    return {**_inlined(inner[named], inner), **rest} if named else rest


def _duration(seconds: int) -> str:
    unit = next(unit for unit in "dhms" if seconds % SECONDS_OF[unit] == 0)
    return f"{seconds // SECONDS_OF[unit]}{unit}"


def _hold_within(model: type[HeightRule], window: int) -> dict[str, Any]:
    """A hold is at most the window; the default window counts where none is written."""
    is_default = model.model_fields["window_blocks"].default == window
    named = {"properties": {"window_blocks": {"const": window}}}
    return {
        "if": named if is_default else named | {"required": ["window_blocks"]},
        "then": {"properties": {model.model_fields["for_blocks"].alias or "for_blocks": {"maximum": window}}},
    }


def _first_paragraph(model: type[Rule]) -> str:
    paragraph = (inspect.getdoc(model) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())
