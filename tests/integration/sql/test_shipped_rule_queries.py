"""The queries of shipped rules on a real engine: on drawn chains they give what a plain count gives, and their rules fire on it."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from alerts.rules.sql_rule import SqlRule
from alerts.rules_file import load_rules
from alerts.signals.query_answer import QueryAnswer, QueryRow
from alerts.signals.timer_facts import TimerFacts
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.columns import Column
from counterpoise.clickhouse.rows.attribution_rows import attribution_columns
from counterpoise.clickhouse.rows.block_rows import block_columns
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.pools.attribution import Attribution
from desk.rule_simulation import runs_of
from streams.blocks.fold.concentration import score_blocks
from tests.integration.sql import sample

RULES = {rule.id: rule for rule in load_rules(None) if isinstance(rule, SqlRule)}
SEEDS = range(5)
HEIGHTS = range(1_000, 1_200)


def drawn_pools(seed: int) -> list[int]:
    """A pool for each height: one of the codes of the sample, in runs of up to a dozen."""
    random = np.random.default_rng(seed)
    found: list[int] = []
    while len(found) < len(HEIGHTS):
        found += [int(random.integers(0, len(sample.POOLS)))] * int(random.integers(1, 13))
    return found[: len(HEIGHTS)]


def drawn_losers(seed: int, chain: str) -> list[BlockEvent]:
    """Lost blocks, also several at one height; each extends the chain or a lost block below it."""
    random = np.random.default_rng([seed, 1])
    found: list[BlockEvent] = []
    for number, height in enumerate(sorted(random.integers(HEIGHTS[-30], HEIGHTS[-1] + 3, 12).tolist())):
        parents = [one for one in found if one.height == height - 1]
        event = sample.block(chain, height, f"lost {number}")
        if parents and random.random() < 0.8:
            event = event.model_copy(update={"prev_hash": parents[int(random.integers(0, len(parents)))].hash})
        found.append(event)
    return found


@pytest.fixture
def chains(empty: ClickHouse) -> ClickHouse:
    for seed in SEEDS:
        chain = f"drawn{seed}"
        events, losers = [sample.block(chain, height) for height in HEIGHTS], drawn_losers(seed, chain)
        status = ["canonical"] * len(events) + ["stale"] * len(losers)
        empty.insert("blocks_log", block_columns([*events, *losers], status, 1))  # type: ignore[arg-type]
        named = [Attribution(sample.POOLS[code], code, "tag" if code else "none") for code in drawn_pools(seed)]
        empty.insert("attributions_log", attribution_columns(sample.CURRENT, events, named, 1))
        pointer: dict[str, Column] = {
            "chain": [chain],
            "attribution_id": [sample.CURRENT],
            "flipped_at": [0],
            "version": [1],
        }
        empty.insert("attribution_pointer_log", pointer)
        times = np.array([event.time for event in events])
        table = score_blocks(np.array(drawn_pools(seed), np.uint16), times, 0, sample.OWNERS, sample.WINDOWS)
        sample.write_summary(empty, table, events, attribution_id=sample.CURRENT, version=1)
    sample._names(empty, 1)
    return empty


def answers(ch: ClickHouse, rule_id: str, seed: int) -> dict[str, int]:
    return {str(row[0]): int(row[1]) for row in ch.query(RULES[rule_id].sql, {"chain": f"drawn{seed}"})}


def fires_at(rule_id: str, values: dict[str, int]) -> set[str]:
    answer = QueryAnswer(0.0, tuple(QueryRow(key, float(value)) for key, value in values.items()))
    facts = TimerFacts(now=0.0, changed_at=0.0, answers={rule_id: answer})
    return {key for key, finding in RULES[rule_id].findings(facts, {}) if finding is not None and finding.active}


def test_runs_and_lost_branches_of_drawn_chains(chains: ClickHouse) -> None:
    fired = dict.fromkeys(RULES, 0)
    for seed in SEEDS:
        newest = drawn_pools(seed)[-144:]
        longest: dict[str, int] = {}
        for code, blocks in groupby(newest):
            if code:
                slug = sample.POOLS[code]
                longest[slug] = max(longest.get(slug, 0), len(list(blocks)))
        found = answers(chains, "producer-run", seed)
        assert found == longest
        at_least = runs_of(np.array(newest, np.uint16), 10)
        assert bool(at_least) == bool(fires_at("producer-run", found)), "as the alarm rate counts them"

        lost = {one.hash: one for one in drawn_losers(seed, f"drawn{seed}")}
        branches: dict[str, int] = {}
        for one in lost.values():
            start, length = one, 1
            while start.prev_hash in lost:
                start, length = lost[start.prev_hash], length + 1
            key = f"branch from height {start.height}"
            branches[key] = max(branches.get(key, 0), length)
        found = answers(chains, "reorg-depth", seed)
        assert found == branches
        assert fires_at("reorg-depth", found) == {key for key, length in branches.items() if length >= 2}
        for rule_id in RULES:
            fired[rule_id] += bool(fires_at(rule_id, answers(chains, rule_id, seed)))
    assert all(fired.values()), "every rule fires on one of the chains"
