"""A rule on a stored detector along the line: its rows and the scores in, the message and the evidence out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alerts.rules.when import WhenRule
from alerts.signals.detector_columns import DETECTOR_COLUMNS
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.rows.detector_rows import detector_columns, undone_detector_columns
from counterpoise.detectors.tracks import TRACKS, track_of
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from tests.engines import ClickHouseServer
from tests.integration.alerts.running import alerter
from tests.integration.alerts.test_metric_line import to_console
from tests.integration.alerts.world import World, a_world, block_hash, with_rules

H = 800_000
NAME = "detector_top4_above_75_5y"
RULE = f"{{id: surely, type: when, when: {{signal: {NAME}}}, fire: {{at_least: 1}}}}"


def detect(world: World, first: int, firing: Sequence[int], branch: str = "a", undone: Sequence[int] = ()) -> None:
    """Rows of detectors_log, which a worker writes before the scores: of the rule's track in the raw view, and the others at will."""
    of, rows, version = DETECTOR_COLUMNS[NAME], len(firing), first * 10 + len(branch) + ord(branch[0])
    track = track_of("raw", of.name, of.promise_years)
    noise = np.random.default_rng(first).integers(0, 2**TRACKS, rows) & ~(1 << track)
    columns = detector_columns(
        np.full((rows, TRACKS), 0.5, np.float32),
        (noise | (np.array(firing) << track)).astype(np.uint32),
        {},
        attribution_id=world.attribution_id,
        chain="bitcoin",
        from_height=first,
        tip_hashes=[bytes.fromhex(block_hash(branch, height)) for height in range(first, first + rows)],
        times=np.array([world.time_of(height) for height in range(first, first + rows)]),
        version=version,
    )
    world.ch.insert("detectors_log", columns)
    if undone:
        gone = undone_detector_columns(
            undone, TRACKS, attribution_id=world.attribution_id, chain="bitcoin", version=version
        )
        world.ch.insert("detectors_log", gone)


def test_it_fires_with_its_promise_clears_on_its_mirror_and_is_retracted(
    replayed: Settings, clickhouse: ClickHouseServer
) -> None:
    with a_world(replayed) as world:
        settings = with_rules(to_console(replayed), RULE)
        world.mine([600] * 4)  # two heights from before the first row, as in an old dataset
        detect(world, H + 2, [0, 0])
        with alerter(settings) as running:
            running.at(H + 3)
            for step, firing in enumerate((1, 1, 0)):
                detect(world, H + 4 + step, [firing])
                world.mine([600], tell=True)
                running.at(H + 4 + step)
            detect(world, H + 7, [1, 1])
            world.mine([600, 600], tell=True)
            running.at(H + 8)
            detect(world, H + 7, [0, 0, 0], branch="b")
            world.reorg(H + 6, [600] * 3, branch="b", tell=True)
            running.at(H + 9)
        seen = [(row.state, row.evidence.height) for row in running.seen]
        assert seen == [("firing", H + 4), ("resolved", H + 6), ("firing", H + 7), ("retracted", H + 9)]
        fired = running.seen[0]
        assert fired.summary.startswith(
            "The detector of the top 4 above 75 % is firing (one false alarm in 5 years of 52,560 blocks expected; "
            "median delay "
        )
        assert "blocks at 76.0 %" in fired.summary and "past its line: alpha 14.9 %" in fired.summary
        assert "past its mirror's line (height 800006)" in running.seen[1].summary
        assert running.seen[1].summary.startswith("The detector of the top 4 above 75 % is clear (")
        with connect(clickhouse.reader_target, settings.dataset) as reader:
            for row in running.seen[:2]:
                [(height, *_, value)] = reader.query(row.evidence.sql)
                assert (height, value) == (row.evidence.height, row.value)


def test_the_evidence_of_a_detector_beside_a_share_gives_both(replayed: Settings) -> None:
    with a_world(replayed) as world, connect(clickhouse_target(replayed), replayed.dataset) as ch:
        world.mine([600] * 6)
        detect(world, H + 1, [0, 1, 1, 0, 1])
        conditions = [{"signal": "top4_share", "fire": {"above": 0.5}}, {"signal": NAME, "fire": {"at_least": 1}}]
        rule = WhenRule.model_validate({"id": "both", "when": {"all": conditions}})
        series = AlertStore(ch).concentration.series_of(rule, world.attribution_id, low=H, high=H + 9)
        assert series.height.tolist() == list(range(H, H + 6)) and np.isnan(series.further[NAME][0])
        for at, firing in enumerate((0, 1, 1, 0, 1), start=1):
            assert series.further[NAME][at] == firing
            [(*_, share, detector)] = ch.query(rule.reproducing_sql(world.attribution_id, H + at))
            assert (share, detector) == (600 / 1008, firing)
