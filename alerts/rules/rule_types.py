"""Every type of rule. To add one: a file beside this, and a line here."""

from __future__ import annotations

from typing import Final

from alerts.rules.ai_top4_rise_rule import AiTop4RiseRule
from alerts.rules.dead_letters_rule import DeadLettersRule
from alerts.rules.edge_share_fall_rule import EdgeShareFallRule
from alerts.rules.metric_rule import MetricRule
from alerts.rules.no_block_rule import NoBlockRule
from alerts.rules.no_score_rule import NoScoreRule
from alerts.rules.regime_change_rule import RegimeChangeRule
from alerts.rules.rule import Rule
from alerts.rules.series_stale_rule import SeriesStaleRule
from alerts.rules.source_stale_rule import SourceStaleRule
from alerts.rules.sql_rule import SqlRule
from alerts.rules.top_share_probability_rule import TopShareProbabilityRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules.when import WhenRule

RULE_TYPES: Final[dict[str, type[Rule]]] = {
    "top_share": TopShareRule,
    "top_share_probability": TopShareProbabilityRule,
    "metric": MetricRule,
    "when": WhenRule,
    "sql": SqlRule,
    "no_block": NoBlockRule,
    "no_score": NoScoreRule,
    "source_stale": SourceStaleRule,
    "dead_letters": DeadLettersRule,
    "regime_change": RegimeChangeRule,
    "ai_top4_rise": AiTop4RiseRule,
    "edge_share_fall": EdgeShareFallRule,
    "series_stale": SeriesStaleRule,
}

MARKET_RULES: Final = (RegimeChangeRule, AiTop4RiseRule, EdgeShareFallRule, SeriesStaleRule)
"""Those that judge the AI side."""
