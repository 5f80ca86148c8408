"""What an edit changed in a rule, in words for the people who see its alert. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BeforeValidator, ValidationError

from alerts.rules.rule import Rule, Share, parse_duration
from alerts.rules.when import WhenRule
from counterpoise.formats import TEXT, counted
from counterpoise.spans import exact_span

_SHARE: Final = next(part for part in Share.__metadata__ if isinstance(part, BeforeValidator))  # type: ignore[attr-defined]


def changes(before: Mapping[str, Any] | None, rule: Rule) -> str:
    """`clear below 73 % → 72 %, for blocks 36 → 12`; empty where nothing differs or what it was before is not known."""
    if before is None:
        return ""
    now = rule.content()
    if before.get("type") != now.get("type"):
        return f"type {before.get('type')} → {now.get('type')}"
    if isinstance(rule, WhenRule):
        return _of_conditions(before, rule)
    names = [name for name in now if before.get(name) != now[name]]
    return ", ".join(
        f"{_said(name)} {_value(rule, name, before.get(name))} → {_value(rule, name, now[name])}" for name in names
    )


def _of_conditions(before: Mapping[str, Any], rule: WhenRule) -> str:
    """The condition before and now, and what else decides."""
    try:
        old = WhenRule.model_validate({"id": rule.id, **before})
    except ValidationError:
        return ""
    parts = [] if old.condition() == rule.condition() else [f"{old.condition()} → {rule.condition()}"]
    return ", ".join(
        parts
        + [
            f"{_said(name)} {_value(rule, name, getattr(old, name))} → {_value(rule, name, getattr(rule, name))}"
            for name in ("min_samples", "max_unknown", "no_data")
            if getattr(old, name) != getattr(rule, name)
        ]
    )


def _said(name: str) -> str:
    return {
        "above": "line",
        "below": "line",
        "clear_below": "clear below",
        "clear_above": "clear above",
        "for_blocks": "hold",
    }.get(name, name.replace("_", " "))


def _value(rule: Rule, name: str, value: Any) -> str:
    if value is None:
        return "none"
    if name == "for_blocks":
        return counted(value, "block")
    validators = [part.func for part in rule.__class__.model_fields[name].metadata if isinstance(part, BeforeValidator)]
    if isinstance(value, float) and _SHARE.func in validators:
        return TEXT.share(value, None)
    if isinstance(value, int) and parse_duration in validators:
        return exact_span(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
