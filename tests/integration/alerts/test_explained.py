"""A firing is explained from stored scores, posted with both views and what moved it, and sent without them where that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import numpy as np
import pytest
from pydantic import SecretStr

from alerts.explainer import AlertExplainer
from alerts.outbox.jobs import job_of
from alerts.outbox.message_context import READY_SECONDS, Renderer
from alerts.outbox.receivers.slack_receiver import SlackReceiver
from alerts.rules.rule import HeightRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules.when import WhenRule
from alerts.store.alert_store import AlertStore
from alerts.transition_evidence import evidence_of
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.contracts.scores import ScoreEvent, WindowScore
from counterpoise.errors import RetryableError
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.pools.entity_map import EntityGroup, EntityMap, Membership
from counterpoise.pools.registry_file import load_registry
from counterpoise.runtime.clock import SystemClock
from counterpoise.windows import RAW, VIEWS
from testkit.manual_clock import ManualClock
from testkit.slack_server import CHANNEL, TOKEN, SlackServer
from tests.integration.sql.conftest import own_sample
from tests.integration.sql.sample import CURRENT, FIRST, LAST

__all__ = ["own_sample"]

SPAN_SECONDS = 290 * 600
"""Its window has the first blocks alone: whole windows repeat a pattern and do not change."""
JOINED = datetime.fromtimestamp(1_690_120_000, UTC).date()
SHARE = TopShareRule(id="share", k=2, view="entity", window_blocks=144, above=0.5, clear_below=0.4)
CHANGE = WhenRule.model_validate(
    {
        "id": "change",
        "when": {"signal": "top2_share", "change_blocks": 290},
        "fire": {"above": 0.001},
        "window_blocks": 144,
    }
)


@pytest.fixture
def scored(own_sample: ClickHouse) -> ClickHouse:
    """The sample with the entity map that its scores rest on: f2pool and antpool are one from a moment on."""
    members = tuple(Membership(pool, start, None, "test") for pool, start in (("antpool", None), ("f2pool", JOINED)))
    owners = AttributionSet(load_registry(), EntityMap((EntityGroup("ant-and-f2", "Ant and F2", members),)))
    own_sample.insert(
        "attribution_sets_log",
        {
            "attribution_id": [CURRENT],
            "document": [owners.to_json()],
            "created_at": [datetime(2026, 1, 1, tzinfo=UTC)],
            "version": np.array([10_000], np.uint64),
        },
    )
    assert date(2023, 7, 23) == JOINED
    return own_sample


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


def firing(ch: ClickHouse, rule: HeightRule) -> AlertTransition:
    series = AlertStore(ch).concentration.up_to(rule, CURRENT, LAST)
    at = len(series) - 1
    reading = rule.reading(series, at)
    assert reading is not None
    return AlertTransition(
        alert_id="0123456789abcdef",
        sequence=1,
        rule_id=rule.id,
        rule_hash=rule.rule_hash,
        state="firing",
        previous_state="pending",
        notify=True,
        event_time=int(series.time[at]),
        recorded_at_ms=int(series.time[at]) * 1000,
        start_height=LAST,
        value=reading.value,
        threshold=reading.threshold,
        summary="It fires.",
        evidence=evidence_of(rule, series, at, CURRENT),
    )


def explained(ch: ClickHouse, rule: HeightRule) -> AlertTransition:
    found = AlertExplainer([rule], lambda: ch, SystemClock(), span_seconds=SPAN_SECONDS).explained([firing(ch, rule)])
    return found[0]


def message_at(ch: ClickHouse, height: int) -> ScoreEvent:
    """What streams sends about a scored height, in one of its windows."""
    series = AlertStore(ch).concentration.series_by_view("bitcoin", CURRENT, VIEWS, 144, low=height, high=height)
    windows = [
        WindowScore(
            view=view,
            window_blocks=144,
            n=int(one.n[0]),
            unknown=int(one.unknown[0]),
            pools_seen=int(one.pools_seen[0]),
            leaders=one.named_counts(0),
            p_top4_above_75=float(one.p_top4_above_75[0]),
        )
        for view, one in series.items()
    ]
    tip_hash = series[RAW].tip_hash[0]
    return ScoreEvent(
        chain="bitcoin",
        from_height=height,
        height=height,
        tip_hash=tip_hash,
        parent_hash="00" * 32,
        time=int(series[RAW].time[0]),
        version=1,
        attribution_id=CURRENT,
        scored_at_ms=0,
        windows=tuple(windows),
    )


def test_what_the_message_of_the_block_has_is_not_read(scored: ClickHouse) -> None:
    fired, message = firing(scored, SHARE), message_at(scored, LAST)
    expected = explained(scored, SHARE).evidence.explanation
    assert expected is not None and len(expected.views) == 2
    scored.execute(f"ALTER TABLE concentration_log DELETE WHERE height = {LAST} SETTINGS mutations_sync = 2")
    explainer = AlertExplainer([SHARE], lambda: scored, SystemClock(), span_seconds=SPAN_SECONDS)
    [unread] = explainer.explained([fired])
    assert unread.evidence.explanation is None, "else it shows nothing of what was read"
    [found] = explainer.explained([fired], {("bitcoin", message.tip_hash): message})
    assert found.evidence.explanation == expected


def test_a_message_of_a_branch_that_lost_meanwhile_has_no_parts_of_the_other_one(scored: ClickHouse) -> None:
    fired, message = firing(scored, SHARE), message_at(scored, LAST)
    expected = explained(scored, SHARE).evidence.explanation
    assert expected is not None and expected.moved is not None
    (first, count), *others = message.windows[0].leaders
    others[0] = (others[0][0], others[0][1] - 1)
    raw = message.windows[0].model_copy(update={"leaders": ((first, count + 1), *others)})
    lost = message.model_copy(update={"windows": (raw, *message.windows[1:])})
    assert raw.view == RAW
    explainer = AlertExplainer([SHARE], lambda: scored, SystemClock(), span_seconds=SPAN_SECONDS)
    [found] = explainer.explained([fired], {("bitcoin", lost.tip_hash): lost})
    assert found.evidence.explanation is not None
    assert (found.evidence.explanation.moved, found.evidence.explanation.joined) == (None, ())
    [next_one] = explainer.explained([fired], {("bitcoin", message.tip_hash): message})
    assert next_one.evidence.explanation == expected, "the database did not fail, and nothing pauses"


@pytest.mark.parametrize(
    "change",
    [{"windows": ()}, {"attribution_id": "another"}, {"tip_hash": "11" * 32}],
    ids=lambda change: next(iter(change)),
)
def test_a_message_that_lacks_something_leaves_it_to_be_read(scored: ClickHouse, change: dict[str, object]) -> None:
    message = message_at(scored, LAST)
    changed = message.model_copy(update={"windows": message.windows[:1]} if "windows" in change else change)
    explainer = AlertExplainer([SHARE], lambda: scored, SystemClock(), span_seconds=SPAN_SECONDS)
    [found] = explainer.explained([firing(scored, SHARE)], {("bitcoin", changed.tip_hash): changed})
    assert found == explained(scored, SHARE)


def test_a_root_message_has_both_views_and_the_parts_of_the_change(scored: ClickHouse, slack: SlackServer) -> None:
    transition = explained(scored, SHARE)
    found = transition.evidence.explanation
    assert found is not None and found.moved is not None
    stored = dict(
        scored.query(
            "SELECT toString(view), top2_share FROM concentration WHERE chain = 'bitcoin' AND window_blocks = 144 "
            "AND height = {height:UInt32}",
            {"height": LAST},
        )
    )
    assert {one.view: one.value for one in found.views} == pytest.approx(stored)
    assert found.views[1].value == transition.value and found.views[1].value > found.views[0].value
    assert [(group.entity, [pool for pool, _ in group.pools]) for group in found.joined] == [
        ("ant-and-f2", ["antpool", "f2pool"])
    ]
    assert found.joined[0].change == pytest.approx(found.views[1].value - found.views[0].value)
    before = LAST - SPAN_SECONDS // 600
    assert found.moved.from_height == before >= FIRST
    assert found.moved.after - found.moved.before == pytest.approx(
        sum(part for _, part in found.moved.parts) + found.moved.others, abs=1e-12
    )

    renderer = Renderer(AlertStore(scored), [SHARE], "test")
    receiver = SlackReceiver(lambda: SecretStr(TOKEN), CHANNEL, base_url=slack.base_url)
    job = job_of(transition, "post", inherited=False)
    ts = receiver.post(renderer.render(job, [transition]), job.key_text, thread=None)
    [root] = slack.messages
    texts = [block["text"]["text"] for block in root.blocks if "text" in block]
    views = next(text for text in texts if text.startswith("*Both views*"))
    moved = next(text for text in texts if text.startswith("*What moved it*"))
    assert "• pools as they sign: " in views and "The largest group is ant-and-f2 with " in views
    assert f"since height {before} " in moved and len(moved.splitlines()) > 2
    assert "• changes of the entity map +" in moved

    ended = transition.model_copy(update={"sequence": 2, "state": "resolved", "previous_state": "firing"})
    receiver.edit(renderer.render(job_of(ended, "update", inherited=False), [transition, ended]), job.key_text, ts)
    edited = [block["text"]["text"] for block in slack.messages[0].blocks if "text" in block]
    assert views in edited and moved in edited


def test_a_rule_on_a_change_is_explained_over_its_own_blocks(scored: ClickHouse) -> None:
    found = explained(scored, CHANGE).evidence.explanation
    assert found is not None and found.moved is not None
    assert found.moved.from_height == LAST - 290
    raw = next(one for one in found.views if one.view == "raw")
    assert raw.value == pytest.approx(found.moved.after - found.moved.before) != 0.0


@pytest.mark.parametrize("failing", ["the connection", "the entity map"])
def test_what_fails_leaves_the_alert_as_it_is(scored: ClickHouse, failing: str) -> None:
    fired = firing(scored, SHARE)
    asked: list[str] = []

    def connect() -> ClickHouse:
        asked.append(failing)
        if failing == "the connection":
            raise RetryableError("nobody listens")
        scored.execute("TRUNCATE TABLE attribution_sets_log")
        return scored

    explainer = AlertExplainer([SHARE], connect, SystemClock())
    assert explainer.explained([fired, fired]) == [fired, fired]
    assert len(asked) == 1, "it is left alone for a while"


def test_a_step_that_no_firing_begins_with_asks_nothing(scored: ClickHouse) -> None:
    fired = firing(scored, SHARE)
    others: Sequence[AlertTransition] = [
        fired.model_copy(update={"notify": False}),
        fired.model_copy(update={"previous_state": "firing"}),
        fired.model_copy(update={"state": "resolved"}),
    ]

    def connect() -> ClickHouse:
        raise AssertionError("no query is needed")

    assert AlertExplainer([SHARE], connect, SystemClock()).explained(others) == list(others)


def test_what_was_read_ahead_is_in_the_message_and_is_not_read_again(scored: ClickHouse) -> None:
    fired = explained(scored, SHARE)
    job = job_of(fired, "post", inherited=False)

    def renderer() -> Renderer:
        return Renderer(AlertStore(scored), [SHARE], "test")

    expected = renderer().render(job, [fired])
    ahead = renderer()
    ahead.prepare([fired])
    scored.execute("TRUNCATE TABLE concentration_log")
    assert ahead.render(job, [fired]) == expected
    assert renderer().render(job, [fired]) != expected, "else it shows nothing of what was read"


def test_what_was_read_ahead_long_ago_is_read_again(scored: ClickHouse) -> None:
    fired, clock = explained(scored, SHARE), ManualClock()
    job = job_of(fired, "post", inherited=False)
    renderer = Renderer(AlertStore(scored), [SHARE], "test", clock=clock)
    before = renderer.render(job, [fired])
    renderer.prepare([fired])
    scored.execute("TRUNCATE TABLE concentration_log")
    clock.advance(READY_SECONDS + 1.0)
    assert renderer.render(job, [fired]) != before


def test_what_an_edit_and_its_reply_show_is_read_ahead_together(scored: ClickHouse) -> None:
    fired = explained(scored, SHARE)
    earlier = fired.evidence.model_copy(update={"height": LAST - 10})
    fired = fired.model_copy(update={"evidence": earlier})
    ended = firing(scored, SHARE).model_copy(update={"sequence": 2, "state": "resolved", "previous_state": "firing"})
    jobs = [job_of(ended, action, inherited=False) for action in ("update", "thread")]

    def rendered(renderer: Renderer) -> list[object]:
        return [renderer.render(job, [fired, ended]) for job in jobs]

    expected = rendered(Renderer(AlertStore(scored), [SHARE], "test"))
    ahead = Renderer(AlertStore(scored), [SHARE], "test")
    ahead.prepare([fired, ended])
    scored.execute("TRUNCATE TABLE concentration_log")
    assert rendered(ahead) == expected
    assert rendered(Renderer(AlertStore(scored), [SHARE], "test")) != expected, "else they show nothing of it"
