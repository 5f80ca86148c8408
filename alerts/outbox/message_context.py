"""From a job to its message: reads from ClickHouse what a message contains beside its transition."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from alerts.outbox.alert_chart import Picture, blocks_of, picture_of
from alerts.outbox.alert_event import event_of
from alerts.outbox.current_actions import CurrentActions
from alerts.outbox.group_message import LineText, group_message
from alerts.outbox.groups import GroupView, lines_of
from alerts.outbox.jobs import ACKNOWLEDGED, REMINDER, WORSE, Job, Start
from alerts.outbox.render import (
    Message,
    MessageContext,
    Past,
    acknowledged_line,
    changed_root,
    digest_message,
    reminder_message,
    start_message,
    transition_message,
    worse_message,
)
from alerts.outbox.routes import labels_of
from alerts.rules.rule import HeightRule, Reading, Rule
from alerts.store.alert_store import AlertStore
from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, AlertTransition
from counterpoise.formats import utc_minute
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.spans import long_span
from counterpoise.windows import View

PAST_BLOCKS = (144, 1008)
MAX_READY: Final = 64
"""Steps of a batch for whose messages is read ahead."""
READY_SECONDS: Final = 10.0
"""What was read ahead is shown within this time: a message that waits longer states how far the chain is by then."""
NOTES = ("owner", "runbook", "alarm_rate", "link")
"""Fields of a rule that a message to a program has as they are, where the rule has them."""


_PAGE = re.compile(r"docs/([a-z0-9_./-]+)\.md(#[a-z0-9_.-]+)?")


def published(text: str, docs_url: str) -> str:
    """A page of the docs as its address on their site; any other text, or without a site, as it is.

    >>> published("docs/alert-runbook.md#no-block", "https://docs.example")
    'https://docs.example/alert-runbook.html#no-block'
    >>> published("risk desk", "https://docs.example"), published("docs/runbook.md", "")
    ('risk desk', 'docs/runbook.md')
    """
    page = _PAGE.fullmatch(text) if docs_url else None
    return f"{docs_url}/{page[1]}.html{page[2] or ''}" if page else text


class Renderer:
    """Renders with one connection: not safe to share between threads."""

    def __init__(
        self,
        store: AlertStore,
        rules: Sequence[Rule],
        dataset: str,
        public_url: str | None = None,
        *,
        docs_url: str | None = None,
        buttons: bool = False,
        people: CurrentActions | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`docs_url`: where the documentation is served. `buttons`: whether an alert that fires has buttons. `people`: what they
        asked for, read as of now if not given."""
        self._buttons = buttons
        self._store = store
        self._people = people or CurrentActions(store.actions, SystemClock())
        self._public_url = (public_url or "").rstrip("/")
        self._docs_url = (docs_url or "").rstrip("/")
        self._rules: Mapping[tuple[str, str], Rule] = {(rule.id, rule.chain): rule for rule in rules}
        self._dataset = dataset
        self._clock = clock or SystemClock()
        self._ready: dict[tuple[str, int], tuple[int | None, tuple[Past, ...]]] = {}
        self._ready_at = float("-inf")

    def render(self, job: Job, announced: Sequence[AlertTransition], group: GroupView | None = None) -> Message:
        """The message of a job; `announced`: what was sent of its alert so far, the firing first where there was one. For a
        digest it is the latest step of each of its alerts. `group`: of an alert that has one."""
        if group is not None and len(group.members) > 1:
            return self._grouped(group)
        message = self._render(job, announced)
        if job.transition is None:
            return message
        rule = self._rule_of(job.transition)
        fired = next((row for row in announced if row.state in ANNOUNCING_STATES), job.transition)
        context = self._words(job.transition, rule)
        values = rule.model_dump(mode="json", include=set(NOTES)) if rule else {}
        who = self._who(fired) if fired.state == "firing" else ""
        acknowledged = {"acknowledged": who} if who else {}
        event = event_of(
            job,
            announced,
            labels=labels_of(fired, rule),
            title=context.title,
            condition=context.condition,
            page_url=context.page_url,
            notes={name: published(str(text), self._docs_url) for name, text in values.items() if text} | acknowledged,
            group=group.labels if group is not None else None,
        )
        return replace(message, event=event)

    def _grouped(self, group: GroupView) -> Message:
        """The message of several alerts, over the text of the first one."""
        steps = group.members[0]
        first, latest = next(row for row in steps if row.state in ANNOUNCING_STATES), steps[-1]
        then = self._context(first, first)
        now = then if latest is first else self._context(latest, first)
        shown = transition_message(first, then) if latest is first else changed_root(first, latest, then, now)
        lines = []
        for line in lines_of(group.members):
            context = self._words(line.latest, self._rule_of(line.latest))
            lines.append(LineText(line, context.title, self._who(line.fired), context.page_url))
        return group_message(group.labels, lines, now.title, shown)

    def _render(self, job: Job, announced: Sequence[AlertTransition]) -> Message:
        if job.start is not None:
            return self._start(job.start)
        if job.members:
            titles = [row.evidence.title or row.rule_id for row in job.members]
            return digest_message(list(zip(titles, job.members, announced, strict=True)), self._dataset)
        assert job.transition is not None  # noqa: S101 - a job is a start or has a transition
        fired = next((row for row in announced if row.state in ANNOUNCING_STATES), None)
        if job.action == "update" and fired is not None:
            # Of the later step only what is known without a query stands in the message.
            now = self._told(self._words(job.transition, self._rule_of(job.transition)), fired)
            return changed_root(fired, job.transition, self._context(fired, fired), now)
        context = self._context(job.transition, fired)
        if job.kind == REMINDER:
            return reminder_message(job.transition, job.after_seconds, self._now(job.transition), context)
        if job.kind == WORSE:
            return self._worse(job, context)
        if job.kind == ACKNOWLEDGED:
            return self._acknowledged(job, announced, context)
        return transition_message(job.transition, context, root=job.action == "post")

    def _acknowledged(self, job: Job, announced: Sequence[AlertTransition], context: MessageContext) -> Message:
        """The alert's own message with who acknowledged it; its line stands alone."""
        assert job.transition is not None  # noqa: S101 - only alerts are acknowledged
        latest = announced[-1] if announced else job.transition
        if latest.sequence == job.transition.sequence:
            message = transition_message(latest, context)
        else:
            message = changed_root(job.transition, latest, context, self._context(latest, job.transition))
        return replace(message, line=acknowledged_line(job.transition, context))

    def _worse(self, job: Job, context: MessageContext) -> Message:
        """That a value is worse than a silence allows: both in the rule's unit, and who set the silence."""
        assert job.transition is not None  # noqa: S101 - only alerts are silenced
        prefix = job.action.partition("-")[2]
        silence = next((one for one in self._people.rows if one.id.startswith(prefix)), None)
        if silence is None or silence.worse_than is None:
            return worse_message(job.transition, "", self._now(job.transition), context)
        rule, allowed = self._rule_of(job.transition), silence.worse_than
        found = self.at_tip(job.transition)
        now = f"now {found[0].format_value(found[1], allowed)} at height {found[2]}" if found else ""
        limit = f"{allowed:,.10g}"
        if isinstance(rule, HeightRule):
            limit = rule.format_value(allowed, *((found[1],) if found else ()))
        limit += f", the end of the silence of {silence.author or 'nobody named'}"
        return worse_message(job.transition, limit, now, context)

    def _who(self, fired: AlertTransition) -> str:
        """Who acknowledged an alert, when and why; empty without an acknowledgement."""
        found = self._people.actions.acknowledgements.get(fired.alert_id)
        if found is None:
            return ""
        after = long_span(max(0.0, found.at - fired.recorded_at_ms / 1000))
        reason = f": {found.reason}" if found.reason else ""
        return f"by {found.author or 'nobody named'} at {utc_minute(found.at)} UTC, {after} after it fired{reason}"

    def _rule_of(self, transition: AlertTransition) -> Rule | None:
        """The rule of the alert as it is now; None if it was removed."""
        return self._rules.get((transition.rule_id, transition.evidence.chain or BITCOIN.name))

    def _context(self, transition: AlertTransition, fired: AlertTransition | None) -> MessageContext:
        rule = self._rule_of(transition)
        found = transition.evidence
        context = self._words(transition, rule)
        if isinstance(rule, HeightRule) and found.attribution_id and found.height is not None:
            ready = self._ready.pop((transition.alert_id, transition.sequence), None)
            if ready is None or self._clock.monotonic() - self._ready_at > READY_SECONDS:
                place = (rule.chain, found.attribution_id, rule.view, rule.window_blocks)
                ready = self._surroundings(*place, [found.height])[found.height]
            tip, past = ready
            context = replace(context, tip_height=tip, past=past)
        return self._told(context, fired)

    def prepare(self, shown: Sequence[AlertTransition]) -> None:
        """Read ahead what messages show of these steps, for their next use alone; RetryableError while ClickHouse is unavailable."""
        self._ready, self._ready_at = {}, self._clock.monotonic()
        together: dict[tuple[str, str, View, int], list[AlertTransition]] = {}
        for step in shown:
            rule, found = self._rule_of(step), step.evidence
            if isinstance(rule, HeightRule) and found.attribution_id and found.height is not None:
                place = (rule.chain, found.attribution_id, rule.view, rule.window_blocks)
                together.setdefault(place, []).append(step)
        for place, steps in together.items():
            found_at = self._surroundings(*place, [step.evidence.height or 0 for step in steps])
            self._ready |= {(step.alert_id, step.sequence): found_at[step.evidence.height or 0] for step in steps}

    def _surroundings(
        self, chain: str, attribution_id: str, view: View, window_blocks: int, heights: Sequence[int]
    ) -> dict[int, tuple[int | None, tuple[Past, ...]]]:
        """The newest height and, for each of the heights, the leaders of before."""
        earlier = sorted({height - ago for height in heights for ago in PAST_BLOCKS})
        tip, leaders = self._store.concentration.leaders_at(chain, attribution_id, view, window_blocks, earlier)
        return {
            height: (tip, tuple(Past(ago, *leaders[height - ago]) for ago in PAST_BLOCKS if height - ago in leaders))
            for height in heights
        }

    def _told(self, context: MessageContext, fired: AlertTransition | None) -> MessageContext:
        """The context with when the alert fired, and who acknowledged it."""
        if fired is None:
            return context
        return replace(context, fired_at=fired.event_time, acknowledged=self._who(fired))

    def _words(self, transition: AlertTransition, rule: Rule | None) -> MessageContext:
        """What is known without a query."""
        found = transition.evidence
        return MessageContext(
            title=rule.name if rule else found.title or transition.rule_id,
            condition=found.condition or (rule.condition() if rule else "a rule that was removed"),
            advice=rule.next_step() if rule else "",
            dataset=self._dataset,
            share=transition.value_high is not None,
            lines=rule.written_lines if isinstance(rule, HeightRule) else (),
            buttons=self._buttons,
            responsible=self._responsible(rule) if rule else (),
            page_url=f"{self._public_url}/alert/{transition.alert_id}" if self._public_url else "",
        )

    def picture(self, transition: AlertTransition) -> Picture | None:
        """The picture of a firing; None for a rule without a value at every height, and where the blocks of the alert are gone."""
        rule, found = self._rule_of(transition), transition.evidence
        if not isinstance(rule, HeightRule) or found.attribution_id is None or found.height is None:
            return None
        low = found.height - blocks_of(rule.chain) - rule.lookback_blocks
        series = self._store.concentration.series_of(rule, found.attribution_id, low=low, high=found.height)
        is_whole = len(series) and series.tip_hash[-1] == found.tip_hash
        return picture_of(rule, series) if is_whole else None

    def _responsible(self, rule: Rule) -> tuple[tuple[str, str], ...]:
        return tuple((name, published(value, self._docs_url)) for name, value in rule.responsible())

    def _now(self, transition: AlertTransition) -> str:
        """Where the value of an alert stands at the tip, in words; empty for a rule without one."""
        now = self.value_now(transition)
        return f"now {now[0]} at height {now[1]}" if now else ""

    def value_now(self, transition: AlertTransition) -> tuple[str, int] | None:
        """The value of an alert's rule at the tip, in its unit, and the tip; None for a rule without a value at every height."""
        found = self.at_tip(transition)
        return (found[0].format_value(found[1]), found[2]) if found else None

    def reading_now(self, transition: AlertTransition) -> float | None:
        """The same as a number."""
        found = self.at_tip(transition)
        return found[1] if found else None

    def at_tip(self, transition: AlertTransition) -> tuple[HeightRule, float, int] | None:
        """The rule of an alert, its value at the tip, and the tip; None for a rule without a value at every height."""
        rule = self._rule_of(transition)
        attribution_id = self._store.attribution.current(rule.chain) if isinstance(rule, HeightRule) else None
        tip = self._store.concentration.tip(rule.chain, attribution_id) if rule and attribution_id else None
        if not isinstance(rule, HeightRule) or attribution_id is None or tip is None:
            return None
        reading = self._reading(rule, attribution_id, tip[0])
        return (rule, reading.value, tip[0]) if reading and math.isfinite(reading.value) else None

    def _reading(self, rule: HeightRule, attribution_id: str, height: int) -> Reading | None:
        series = self._store.concentration.up_to(rule, attribution_id, height)
        return rule.reading(series, len(series) - 1) if len(series) and int(series.n[-1]) else None

    def _start(self, start: Start) -> Message:
        readings: list[tuple[str, str]] = []
        attribution_id = self._store.attribution.current(start.chain)
        for rule_id in start.rule_ids:
            rule = self._rules.get((rule_id, start.chain))
            if not isinstance(rule, HeightRule) or attribution_id is None:
                continue
            reading = self._reading(rule, attribution_id, start.height)
            if reading is not None:
                readings.append((rule.name, f"{rule.format_value(reading.value)} ({rule.condition()})"))
        others = len({r.id for r in self._rules.values() if r.enabled and not isinstance(r, HeightRule)})
        return start_message(
            readings,
            self._open_at(start),
            others=others,
            dataset=self._dataset,
            height=start.height,
            at=utc_minute(start.time),
        )

    def _open_at(self, start: Start) -> list[AlertTransition]:
        """The alerts that were open once the block at go-live was taken in."""
        return self._store.events.open_at(start.chain, start.rule_ids, start.height)
