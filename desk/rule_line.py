"""The alert rule whose line plots of the top-4 share draw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from alerts.rules.rule import ALL_CHAINS, Rule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules_file import load_rules
from counterpoise.settings.model import Settings
from desk.report.report_model import RuleLine

TOP_POOLS: Final = 4


def rule_line(settings: Settings) -> RuleLine | None:
    """The first rule on the share of the four largest pools that is switched on."""
    return line_of(load_rules(settings.alerts.rules_file), settings.ingest.chain)


def line_of(rules: Iterable[Rule], chain: str) -> RuleLine | None:
    """`rule_line` of these rules on a chain. Pure."""
    for rule in rules:
        if not isinstance(rule, TopShareRule) or not rule.enabled:
            continue
        if rule.k == TOP_POOLS and rule.chain in (chain, ALL_CHAINS):
            return RuleLine(
                rule.id, rule.title, rule.view, rule.window_blocks, rule.above, rule.clear_below, rule.for_blocks
            )
    return None
