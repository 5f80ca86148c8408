"""What people read: a transition as Slack's Block Kit, with plain text beside it, and as one line for a console. Pure.

Slack's limits hold for any input: 50 blocks, 3,000 characters a section, 2,000 a field, 150 a header; `text` is always set. What
comes from outside is escaped (&, <, >), so that no pool's name can mention a channel or hide a link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from alerts.evidence import utc
from counterpoise.contracts.alerts import AlertState, AlertTransition

MAX_BLOCKS: Final = 50
MAX_SECTION_CHARACTERS: Final = 3_000
MAX_FIELD_CHARACTERS: Final = 2_000
MAX_HEADER_CHARACTERS: Final = 150
MAX_TEXT_CHARACTERS: Final = 4_000
FINAL_CONFIRMATIONS: Final = 6

_MARK: Final[dict[AlertState, str]] = {
    "firing": "🔴 FIRING",
    "resolved": "🟢 RESOLVED",
    "retracted": "⚪ RETRACTED",
    "rebased": "⚪ REBASED",
    "inactive": "⚪ ENDED",
    "pending": "🟡 PENDING",
    "possible": "🟡 POSSIBLE",
}


@dataclass(frozen=True, slots=True)
class Message:
    """`text` stands alone (notifications, screen readers); `blocks` is Block Kit; `line` is for a console."""

    text: str
    blocks: tuple[dict[str, Any], ...]
    line: str


@dataclass(frozen=True, slots=True)
class Past:
    """The leaders of the same window `blocks_ago` blocks before: pool → blocks, among `n`."""

    blocks_ago: int
    n: int
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """What a message says beside its transition. `share` is false for a rule whose value is no share."""

    title: str
    condition: str
    dataset: str
    share: bool = True
    tip_height: int | None = None
    past: tuple[Past, ...] = ()


def escape(text: str) -> str:
    """Text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, an ellipsis where something is missing; never in the middle of an escape."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    amp = head.rfind("&", len(head) - 5)
    return (head[:amp] if amp >= 0 and ";" not in head[amp:] else head) + "…"


def fit(blocks: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The first 50 blocks."""
    return tuple(blocks[:MAX_BLOCKS])


def percent(value: float | None) -> str:
    """`75.3 %`; an en dash where there is nothing."""
    return "–" if value is None else f"{100 * value:.1f} %"


def confirmation(transition: AlertTransition, tip_height: int | None) -> str:
    """`provisional` below six confirmations, else `final`; empty where no block is meant."""
    height = transition.evidence.height
    if height is None or tip_height is None:
        return ""
    confirmations = max(0, tip_height - height + 1)
    if confirmations >= FINAL_CONFIRMATIONS:
        return f"final ({confirmations} confirmations)"
    return f"provisional ({confirmations} of {FINAL_CONFIRMATIONS} confirmations)"


def transition_message(transition: AlertTransition, context: Context, *, root: bool = True) -> Message:
    """A transition as a message; `root` gives all of it, otherwise (a change in the thread) without leaders and SQL."""
    mark = _MARK[transition.state]
    text = cut(f"{mark}: {escape(context.title)}: {escape(transition.summary)}", MAX_TEXT_CHARACTERS)
    blocks: list[dict[str, Any]] = [
        _header(f"{mark}: {context.title}"),
        _section(escape(transition.summary)),
        _fields(_facts(transition, context)),
    ]
    if root and transition.evidence.counts:
        blocks.append(_section(_leaders(transition, context)))
    if root and transition.evidence.sql:
        blocks.append(_section(_code("Recompute it:", transition.evidence.sql)))
    blocks.append(
        _context(
            f"alert {transition.alert_id} · step {transition.sequence} · rule {transition.rule_id} ({transition.rule_hash}) · "
            f"{escape(context.condition)} · dataset {escape(context.dataset)}"
        )
    )
    return Message(text, fit(blocks), console_line(transition, context))


def changed_root(first: AlertTransition, latest: AlertTransition, context: Context) -> Message:
    """The root message edited after a change: what it said when it fired, under the state that holds now."""
    now = transition_message(latest, context)
    mark = _MARK[latest.state]
    then = transition_message(first, context)
    blocks = [
        _header(f"{mark}: {context.title}"),
        _section(f"{escape(latest.summary)}\n_{utc(latest.event_time)} UTC_"),
        _section(f"Fired: {escape(first.summary)}"),
        *then.blocks[2:],
    ]
    return Message(now.text, fit(blocks), now.line)


def reminder_message(first: AlertTransition, weeks: int, context: Context) -> Message:
    """`Still firing`, once a week."""
    week = "week" if weeks == 1 else "weeks"
    said = f"Still firing after {weeks} {week}: {escape(context.title)} (since {utc(first.event_time)} UTC)"
    return Message(
        said, (_section(f"🔴 {said}"),), f"{utc(first.event_time)}  STILL FIRING  {context.title} ({weeks} {week})"
    )


def start_message(
    readings: Sequence[tuple[str, str]], open_alerts: Sequence[AlertTransition], *, dataset: str, height: int, time: int
) -> Message:
    """The state at go-live: each rule with its value, and what is open. `readings` are (rule title, value in words)."""
    head = f"Counterpoise watches {dataset} from height {height} ({utc(time)} UTC)"
    firing = [found for found in open_alerts if found.state == "firing"]
    values = [f"• {escape(title)}: {escape(value)}" for title, value in readings]
    alerts = [
        f"• *{found.state}* since {utc(found.event_time)} UTC: {escape(found.summary)}" for found in open_alerts
    ] or ["• none"]
    blocks = [
        _header("State at start"),
        _section(escape(head) + ". What happened before is recorded, not posted."),
        _section("*Rules*\n" + "\n".join(values)),
        _section("*Open alerts*\n" + "\n".join(alerts)),
    ]
    counts = f"{len(firing)} firing, {len(open_alerts)} open"
    line = f"{utc(time)}  STATE AT START  {counts}, {len(readings)} rules ({dataset}, height {height})"
    return Message(cut(f"{escape(head)}: {counts}", MAX_TEXT_CHARACTERS), fit(blocks), line)


def check_message(dataset: str) -> Message:
    """What `counterpoise alerts test` sends."""
    text = f"Counterpoise can post here (dataset {escape(dataset)})."
    return Message(text, (_section(text),), f"TEST  {text}")


def console_line(transition: AlertTransition, context: Context) -> str:
    """One line: when, what, value against line, where, how sure."""
    found = transition.evidence
    state = transition.state.upper()
    if found.height is None:
        return f"{utc(transition.event_time)}  {state}  {context.title}: {transition.summary}"
    sure = ""
    if transition.interval_low is not None and transition.interval_high is not None:
        sure = f", 95 % {100 * transition.interval_low:.1f}–{100 * transition.interval_high:.1f}"
    unknown = f", unknown {found.unknown}" if found.unknown else ""
    said = transition.summary.rsplit(" (window ", 1)[0]
    return (
        f"{utc(transition.event_time)}  {state}  {said} "
        f"(window {found.window_blocks}, height {found.height}, n={found.n}{unknown}{sure})"
    )


def _facts(transition: AlertTransition, context: Context) -> list[tuple[str, str]]:
    found = transition.evidence
    facts: list[tuple[str, str]] = []
    if transition.value is not None and context.share and found.height is not None:
        facts.append(
            (
                "Value",
                f"{percent(transition.value)}\nbounds {percent(transition.value_low)} to {percent(transition.value_high)}: "
                f"{found.unknown} of {found.n} blocks unknown",
            )
        )
    elif transition.value is not None:
        facts.append(("Value", f"{transition.value:.4g}"))
    if transition.interval_low is not None:
        facts.append(
            (
                "95 % interval",
                f"{percent(transition.interval_low)} to {percent(transition.interval_high)}, for these pools",
            )
        )
    facts.append(("Condition", escape(context.condition)))
    if found.window_blocks is not None:
        facts.append(("Window", f"{found.window_blocks} blocks ({found.view}), n = {found.n}"))
        facts.append(("Heights", f"{found.from_height} to {found.height}"))
    facts.append(("Time", f"{utc(transition.event_time)} UTC"))
    status = confirmation(transition, context.tip_height)
    if status:
        facts.append(("Status", status))
    if found.attribution_id:
        facts.append(("Attribution", escape(found.attribution_id)))
    return facts


def _leaders(transition: AlertTransition, context: Context) -> str:
    """The five largest, with the change of their share in percentage points against earlier windows."""
    found = transition.evidence
    n = found.n or 1
    heads = "".join(f"{f'vs {past.blocks_ago} ago':>13}" for past in context.past)
    lines = [f"{'pool':<18}{'blocks':>7}{'share':>9}{heads}"]
    for name, count in found.counts[:5]:
        changes = "".join(f"{_change(name, count / n, past):>13}" for past in context.past)
        lines.append(f"{_plain(name)[:17]:<18}{count:>7}{percent(count / n):>9}{changes}")
    return "*Leaders*, change in percentage points\n```" + "\n".join(lines) + "```"


def _change(name: str, share: float, past: Past) -> str:
    if not past.n:
        return "–"
    before = past.counts.get(name)
    if before is None:
        return "not in top 6"
    return f"{100 * (share - before / past.n):+.1f}"


def _plain(text: str) -> str:
    return escape(text.replace("`", "'").replace("\n", " "))


def _code(label: str, sql: str) -> str:
    quoted = escape(sql.replace("```", "'''"))
    return f"{label}\n```{cut(quoted, MAX_SECTION_CHARACTERS - len(label) - 8)}```"


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": cut(text, MAX_HEADER_CHARACTERS), "emoji": True}}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, MAX_SECTION_CHARACTERS)}}


def _fields(facts: Sequence[tuple[str, str]]) -> dict[str, Any]:
    fields = [{"type": "mrkdwn", "text": cut(f"*{name}*\n{value}", MAX_FIELD_CHARACTERS)} for name, value in facts[:10]]
    return {"type": "section", "fields": fields}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, MAX_SECTION_CHARACTERS)}]}
