"""What an edit changed in a rule, in words for the people who see its alert. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BeforeValidator

from alerts.rules.rule import Rule, Share, parse_duration
from counterpoise.formats import TEXT
from counterpoise.spans import exact_span

_SHARE: Final = next(part for part in Share.__metadata__ if isinstance(part, BeforeValidator))  # type: ignore[attr-defined]


def changes(before: Mapping[str, Any] | None, rule: Rule) -> str:
    """`clear below 73 % → 72 %, for blocks 36 → 12`; empty where nothing differs or what it was before is not known."""
    if before is None:
        return ""
    now = rule.content()
    if before.get("type") != now.get("type"):
        return f"type {before.get('type')} → {now.get('type')}"
    names = [name for name in now if before.get(name) != now[name]]
    return ", ".join(
        f"{_said(name)} {_value(rule, name, before.get(name))} → {_value(rule, name, now[name])}" for name in names
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
        return f"{value} blocks"
    validators = [part.func for part in rule.__class__.model_fields[name].metadata if isinstance(part, BeforeValidator)]
    if isinstance(value, float) and _SHARE.func in validators:
        return TEXT.share(value, None)
    if isinstance(value, int) and parse_duration in validators:
        return exact_span(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
