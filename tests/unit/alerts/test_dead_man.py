"""Dead-man rules on several chains: one rule of the file, and an episode of its own on each."""

from __future__ import annotations

from itertools import count

from alerts.dead_man import DeadManRules
from alerts.rules.no_block_rule import NoBlockRule
from alerts.rules.source_stale_rule import SourceStaleRule
from alerts.signals.timer_facts import TimerFacts
from counterpoise.chain.chain_registry import CHAINS
from counterpoise.contracts.alert_transition import AlertTransition

NOW = 1_700_000_000.0


def facts(chain: str, age_seconds: float, height: int = 7) -> TimerFacts:
    return TimerFacts(
        now=NOW, changed_at=NOW - 400, chain=chain, scored_height=height, scored_time=int(NOW - age_seconds)
    )


def test_each_chain_fires_after_its_own_time_and_ends_alone() -> None:
    rules = DeadManRules(NoBlockRule(id="no-block", chain="all").per_chain())
    versions = count(1)

    def tick(chain: str, age_seconds: float, height: int = 7) -> list[AlertTransition]:
        return rules.tick(facts(chain, age_seconds, height), lambda: next(versions))

    assert rules.chains == sorted(CHAINS)
    assert tick("bitcoin", 4_000) == []
    [litecoin] = tick("litecoin", 4_000)
    [bitcoin] = tick("bitcoin", 7_300)
    assert (litecoin.state, bitcoin.state, litecoin.rule_id) == ("firing", "firing", "no-block")
    assert "No block on litecoin for more than 1 h" in litecoin.summary
    assert litecoin.alert_id != bitcoin.alert_id and litecoin.rule_hash != bitcoin.rule_hash
    assert tick("litecoin", 5_000) == [], "it is told once"
    [ended] = tick("litecoin", 10, height=8)
    assert (ended.state, ended.alert_id) == ("resolved", litecoin.alert_id)
    assert rules.firing() == [bitcoin.alert_id]


def test_a_rule_on_the_ingest_service_is_one_rule_whatever_chain_it_names() -> None:
    rules = DeadManRules(SourceStaleRule(id="stale", chain="all").per_chain())
    assert rules.chains == ["bitcoin"]
    assert not rules.needs_release_facts("bitcoin")
