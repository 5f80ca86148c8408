"""Every type of rule. To add one: a file beside this, and a line here."""

from __future__ import annotations

from typing import Final

from alerts.rules.base import Rule
from alerts.rules.dead_letters import DeadLettersRule
from alerts.rules.no_block import NoBlockRule
from alerts.rules.no_score import NoScoreRule
from alerts.rules.source_stale import SourceStaleRule
from alerts.rules.top_share import TopShareRule
from alerts.rules.top_share_probability import TopShareProbabilityRule

RULE_TYPES: Final[dict[str, type[Rule]]] = {
    "top_share": TopShareRule,
    "top_share_probability": TopShareProbabilityRule,
    "no_block": NoBlockRule,
    "no_score": NoScoreRule,
    "source_stale": SourceStaleRule,
    "dead_letters": DeadLettersRule,
}
