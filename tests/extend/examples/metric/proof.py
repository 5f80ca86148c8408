"""A new metric is in every view of its group, in the docs and in rules, and numpy and SQL agree on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from counterpoise.metrics.specs.metric_registry import SPECS, group_of
from tests.extend.proving import Upgraded
from tests.integration.sql.test_metrics_agree import agree, of_counts, store
from tests.unit.alerts.test_metric_rules import rule_of, text_of, told, windows

NAME = "min_entropy_bits"


def test_a_dataset_of_before_gets_its_columns_and_they_agree_with_numpy(upgraded: Upgraded) -> None:
    assert f"column concentration_latest_log.{NAME}" in upgraded.done
    rng = np.random.default_rng(7)
    counts = np.array([rng.multinomial(n, rng.dirichlet(np.full(30, 0.2))) for n in rng.integers(1, 4_321, 300)])
    table = of_counts(counts, rng.integers(0, 200, 300))
    store(upgraded.ch, table)
    agree(upgraded.ch, table)  # every column, this one among them
    for view in ("concentration", "concentration_dispersion", "latest_concentration", "latest_dispersion"):
        upgraded.ch.query(f"SELECT {NAME} FROM {view} LIMIT 1")


def test_it_has_its_place_among_the_others() -> None:
    names = [spec.name for spec in group_of("dispersion")]
    assert names[names.index(NAME) - 1] == "entropy_normalised"


def test_the_docs_name_it() -> None:
    methodology, tables = (Path("docs", page).read_text(encoding="utf-8") for page in ("methodology.md", "tables.md"))
    assert methodology.count(f"| `{NAME}` | {SPECS[NAME].comment} | −log₂(c₁/m) | 0–log₂ K | NaN where m = 0 |") == 1
    assert tables.count(f"| {NAME} | `Float64` | {SPECS[NAME].comment} |") == 5  # four views, and the newest rows


def test_a_rule_on_it_is_an_entry_and_worded_by_its_spec() -> None:
    rule = rule_of(f"version: 1\nrules: [{{id: a, type: metric, metric: {NAME}, below: 1.5, for_blocks: 0}}]")
    series = windows([[504, 252, 252]])  # half of all blocks: one bit
    fired = told(rule, series, "firing")
    assert fired.value == 1.0
    assert fired.summary.startswith("Min-entropy over the last 1,008 blocks is 1"), fired.summary
    assert "below 1.5" in fired.summary
    assert "*Min-entropy*" in text_of(fired, rule)
