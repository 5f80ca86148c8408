"""A transition as Slack's Block Kit, with plain text beside it, and as one line for a console. Pure.

Slack's limits hold for any input: 50 blocks, 3,000 characters a section, 2,000 a field, 150 a header; `text` is always set. What
comes from outside is escaped (&, <, >), so that no pool's name can mention a channel or hide a link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from alerts.outbox.alert_event import AlertEvent
from alerts.outbox.explained import VIEW_WORDS, moved_text, views_text
from alerts.outbox.receivers.slack_buttons import buttons_block
from alerts.rules.condition import condition_of
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, OPEN_STATES, AlertState, AlertTransition
from counterpoise.formats import TEXT, utc_minute
from counterpoise.spans import DAY_SECONDS, long_span
from counterpoise.visible import visible

MAX_BLOCKS: Final = 50
MAX_SECTION_CHARACTERS: Final = 3_000
MAX_FIELD_CHARACTERS: Final = 2_000
MAX_FIELDS: Final = 10
MAX_HEADER_CHARACTERS: Final = 150
MAX_TEXT_CHARACTERS: Final = 4_000
FINAL_CONFIRMATIONS: Final = 6
MAX_DIGEST_LINES: Final = 40
MAX_PAGES: Final = 3
"""Sections of all lists of a message. Slack refuses blocks that have over some 11,000 characters together, a limit that its
documentation lacks (slackapi/bolt-js, issues 2509 and 2867)."""
MAX_LINE_CHARACTERS: Final = 1_200
MAX_FURTHER_CHARACTERS: Final = 100
"""Room for the line below a list."""
WEEK_SECONDS: Final = 7 * DAY_SECONDS

_MARK: Final[dict[AlertState, str]] = {
    "firing": "🔴 FIRING",
    "resolved": "🟢 RESOLVED",
    "retracted": "⚪ RETRACTED",
    "rebased": "⚪ REBASED",
    "error": "🟠 ERROR",
    "inactive": "⚪ ENDED",
    "pending": "🟡 PENDING",
    "possible": "🟡 POSSIBLE",
}


@dataclass(frozen=True, slots=True)
class Message:
    """`text` stands alone (notifications, screen readers); `blocks` is Block Kit; `line` is for a console; `event` is for
    programs, None where the message is about no single alert."""

    text: str
    blocks: tuple[dict[str, Any], ...]
    line: str
    event: AlertEvent | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """The leaders of the same window `blocks_ago` blocks before: pool → blocks, among `n`."""

    blocks_ago: int
    n: int
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageContext:
    """Content of a message beside its transition. `share` is false for a rule whose value is no share. `advice` is where to look
    first, in our own mrkdwn. `fired_at`: time of the first notified firing, in seconds."""

    title: str
    condition: str
    dataset: str
    advice: str = ""
    share: bool = True
    lines: tuple[float, ...] = ()
    """The lines of the rule, beside which its values are written."""
    tip_height: int | None = None
    past: tuple[Past, ...] = ()
    fired_at: int | None = None
    acknowledged: str = ""
    """Who acknowledged the alert, when and why; empty without an acknowledgement."""
    responsible: tuple[tuple[str, str], ...] = ()
    """What the rule has of severity, owner, runbook and labels, with their names."""
    buttons: bool = False
    """Whether an alert that fires has buttons."""
    page_url: str = ""
    """Where the desk shows the alert; empty where no public address of the desk is set."""


def escape(text: str) -> str:
    """Text that Slack shows as it is, with control and format characters visible."""
    return visible(text, keep="\n").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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


def confirmation(transition: AlertTransition, tip_height: int | None) -> str:
    """`provisional` below six confirmations, else `final`; empty where no block is meant."""
    height = transition.evidence.height
    if height is None or tip_height is None:
        return ""
    confirmations = max(0, tip_height - height + 1)
    if confirmations >= FINAL_CONFIRMATIONS:
        return f"final ({confirmations} confirmations)"
    return f"provisional ({confirmations} of {FINAL_CONFIRMATIONS} confirmations)"


def mark_of(transition: AlertTransition) -> str:
    """`🔴 FIRING`; an alert that fires and has news is `🔴 STILL FIRING`; one that ended with an edit of its rule did not resolve."""
    if transition.state == transition.previous_state == "firing":
        return "🔴 STILL FIRING"
    if transition.reason == "rule-changed" and transition.state not in OPEN_STATES:
        return "⚪ RULE CHANGED"
    return _MARK[transition.state]


def transition_message(transition: AlertTransition, context: MessageContext, *, root: bool = True) -> Message:
    """A transition as a message; `root` gives all of it, otherwise (a change in the thread) without leaders and SQL."""
    blocks: list[dict[str, Any]] = [
        header(f"{mark_of(transition)}: {context.title}"),
        section(escape(transition.summary)),
        *_fields(_facts(transition, context)),
    ]
    if root:
        blocks += [*_details(transition, context), *_buttons(transition, context)]
    blocks.append(_origin(transition, context))
    return Message(_text(transition, context), fit(blocks), console_line(transition))


def changed_root(first: AlertTransition, latest: AlertTransition, then: MessageContext, now: MessageContext) -> Message:
    """The root message edited after a change: the state that holds now over the text of the firing. `then` and `now` are the
    contexts of the two. It has how long the alert fired, once that has ended."""
    lasted = long_span(max(0, latest.event_time - first.event_time))
    after = "" if latest.state in OPEN_STATES else f", {lasted} after it fired"
    blocks = [
        header(f"{mark_of(latest)}: {now.title}"),
        section(f"{escape(latest.summary)}\n_{utc_minute(latest.event_time)} UTC{after}_"),
        section(f"*When it fired* ({utc_minute(first.event_time)} UTC)\n{escape(first.summary)}"),
        *_fields(_facts(first, then)),
        *_details(first, then, advice=latest.state in OPEN_STATES),
        *_buttons(latest, now),
        _origin(latest, now),
    ]
    return Message(_text(latest, now), fit(blocks), console_line(latest))


def reminder_message(first: AlertTransition, after_seconds: float, now: str, context: MessageContext) -> Message:
    """`Still firing`, with the time since the alert's message and the value as it is `now`."""
    weeks, rest = divmod(round(after_seconds), WEEK_SECONDS)
    after = long_span(after_seconds) if rest else f"{weeks} {'week' if weeks == 1 else 'weeks'}"
    return _note(first, f"Still firing after {after}", f"STILL FIRING  {first.rule_id}: {after}", now, context)


def worse_message(first: AlertTransition, limit: str, now: str, context: MessageContext) -> Message:
    """An alert whose value passed what its silence allows: `limit` in words, and the value as it is `now`."""
    return _note(first, f"Worse than {limit}", f"WORSE  {first.rule_id}: worse than {limit}", now, context)


def acknowledged_line(first: AlertTransition, context: MessageContext) -> str:
    """One line for a console."""
    return f"{utc_minute(first.event_time)}  ACKNOWLEDGED  {first.rule_id}: {context.acknowledged}"


def _note(first: AlertTransition, head: str, line: str, now: str, context: MessageContext) -> Message:
    value = f"; {now}" if now else ""
    sentence = f"{head}: {context.title} (since {utc_minute(first.event_time)} UTC{value})"
    advice = (section(context.advice),) if context.advice else ()
    return Message(
        cut(escape(sentence), MAX_TEXT_CHARACTERS),
        (section(f"🔴 {escape(sentence)}"), *advice),
        f"{utc_minute(first.event_time)}  {line}{value}",
    )


def start_message(
    readings: Sequence[tuple[str, str]],
    open_alerts: Sequence[AlertTransition],
    *,
    others: int,
    dataset: str,
    height: int,
    at: str,
) -> Message:
    """The state at go-live: each rule on concentration with its value, how many `others` are watched, and what is open.

    `readings` are (rule title, value in words); `at` is the block's time.
    """
    head = f"Counterpoise watches {dataset} from height {height} ({at} UTC)"
    values = [f"• {escape(title)}: {escape(value)}" for title, value in readings]

    def further_rules(left: int) -> str:
        kinds = "" if left else ", on silence, errors and the AI side"
        return f"• {left + others} more{kinds}: `counterpoise alerts rules`" if left + others else ""

    alerts = [
        f"• *{found.state}* since {utc_minute(found.event_time)} UTC: {escape(found.summary)}" for found in open_alerts
    ] or ["• none"]
    blocks = [
        header("State at start"),
        section(escape(head) + ". What happened before is recorded, not posted."),
        *_pages(["*Rules*", *values], further_rules, 1),
        *_pages(
            ["*Open alerts*", *alerts],
            lambda left: f"• {left} more: `counterpoise alerts list`" if left else "",
            MAX_PAGES - 1,
        ),
    ]
    firing = sum(found.state == "firing" for found in open_alerts)
    counts = f"{firing} firing, {len(open_alerts) - firing} pending or possible"
    line = f"{at}  STATE AT START  {dataset}, height {height}: {counts}"
    return Message(cut(f"{escape(head)}: {counts}", MAX_TEXT_CHARACTERS), fit(blocks), line)


def digest_message(episodes: Sequence[tuple[str, AlertTransition, AlertTransition]], dataset: str) -> Message:
    """What fired and ended while no message could be sent: each alert's title, its firing and its latest step, in a line."""
    alerts = "1 alert" if len(episodes) == 1 else f"{len(episodes)} alerts"
    head = f"{alerts} fired and ended while no message could be sent"
    lines = [
        f"• {escape(title)}: fired {utc_minute(fired.event_time)} UTC, {mark_of(ended).partition(' ')[2].lower()} "
        f"{utc_minute(ended.event_time)} UTC, after {long_span(max(0, ended.event_time - fired.event_time))} "
        f"(`counterpoise alerts show {fired.alert_id}`)"
        for title, fired, ended in episodes[:MAX_DIGEST_LINES]
    ]
    unlisted = len(episodes) - len(lines)

    def further(left: int) -> str:
        return f"• {left + unlisted} more: `counterpoise alerts list --all`" if left + unlisted else ""

    blocks = [
        header(f"⚪ {head}"),
        *_pages(lines, further),
        _context(f"dataset {escape(dataset)}"),
    ]
    text = cut(f"{head}: " + "; ".join(escape(title) for title, _, _ in episodes), MAX_TEXT_CHARACTERS)
    return Message(text, fit(blocks), f"DIGEST  {head}")


def check_message(dataset: str) -> Message:
    """What `counterpoise alerts test` sends."""
    text = f"Counterpoise can post here (dataset {escape(dataset)})."
    return Message(text, (section(text),), f"TEST  {text}")


def why_message(fired: AlertTransition) -> Message:
    """Why an alert fires: its value, its condition, and the SQL that reproduces the value."""
    found = fired.evidence
    parts = [escape(fired.summary), f"Rule: {escape(found.condition or fired.rule_id)}"]
    parts += [_code("SQL that reproduces the value:", found.sql)] if found.sql else []
    parts.append(f"More: `counterpoise rules explain {fired.alert_id}`")
    return Message(
        cut("\n".join(parts), MAX_TEXT_CHARACTERS), fit([section(part) for part in parts]), console_line(fired)
    )


def note_message(text: str) -> Message:
    """A short text of ours."""
    return Message(text, (section(escape(text)),), text)


def console_line(transition: AlertTransition) -> str:
    """One line: time, state, rule, and the summary with the value and its interval."""
    state = mark_of(transition).partition(" ")[2]
    summary = " ".join(transition.summary.split())
    return f"{utc_minute(transition.event_time)}  {state}  {transition.rule_id}: {summary}"


def _text(transition: AlertTransition, context: MessageContext) -> str:
    return cut(f"{mark_of(transition)}: {escape(context.title)}: {escape(transition.summary)}", MAX_TEXT_CHARACTERS)


def _lines(transition: AlertTransition, context: MessageContext) -> tuple[float, ...]:
    """Beside which a value of the alert is written: on its side of each."""
    return (*context.lines, *(() if transition.threshold is None else (transition.threshold,)))


def _facts(transition: AlertTransition, context: MessageContext) -> list[tuple[str, str]]:
    found = transition.evidence
    lines = _lines(transition, context)
    facts = _metric_facts(transition, lines)
    if not facts and transition.value is not None and context.share and found.height is not None:
        unknown = f"{found.unknown} unknown block{'' if found.unknown == 1 else 's'}"
        high = f"{TEXT.share(transition.value_high, lines=lines)} if the {unknown} {'was' if found.unknown == 1 else 'were'} theirs"
        bound = high if found.unknown else "no block of unknown origin"
        facts.append(("Share", f"{TEXT.share(transition.value, lines=lines)} of {found.n or 0:,} blocks\n{bound}"))
    if found.metric is None and transition.interval_low is not None and found.height is not None:
        facts.append(
            (
                "95 % interval",
                f"{TEXT.share_range(transition.interval_low, transition.interval_high)} of the hashrate, for these pools",
            )
        )
    facts.append(("Rule", escape(context.condition)))
    if found.window_blocks is not None:
        view = VIEW_WORDS.get(found.view or "", found.view or "")
        facts.append(("Window", f"heights {found.from_height} to {found.height}, {view}"))
    facts.append(("Time", f"{utc_minute(transition.event_time)} UTC"))
    facts += [(name, _linked(value)) for name, value in context.responsible]
    if transition.state not in OPEN_STATES and context.fired_at is not None:
        lasted = long_span(transition.event_time - context.fired_at)
        facts.append(("Fired", f"{utc_minute(context.fired_at)} UTC, {lasted} before"))
    if context.acknowledged:
        facts.append(("Acknowledged", escape(context.acknowledged)))
    status = confirmation(transition, context.tip_height)
    if status:
        facts.append(("Status", status))
    return facts


def _linked(value: str) -> str:
    """An address as a link; any other text as it is."""
    shown = escape(value)
    return f"<{shown}>" if value.startswith(("https://", "http://")) and not set(value) & set("<>| ") else shown


def _metric_facts(transition: AlertTransition, lines: Sequence[float]) -> list[tuple[str, str]]:
    """A signal's value with its bound and interval, in its own words; nothing for a rule with its own wording."""
    found = transition.evidence
    words = condition_of(found.metric or "")
    if words is None or transition.value is None:
        return []

    def written(value: float | None) -> str:
        return TEXT.missing if value is None else words.format(value, lines)

    value = words.value_of_window(written(transition.value), found.n or 0)
    if transition.value_high is not None and found.unknown:
        value += f"\nat most {written(transition.value_high)}, with {found.unknown} of unknown origin"
    facts = [(words.title[0].upper() + words.title[1:], value)]
    if transition.interval_low is not None:
        facts.append(("95 % interval", f"{written(transition.interval_low)} to {written(transition.interval_high)}"))
    return facts


def _details(transition: AlertTransition, context: MessageContext, *, advice: bool = True) -> list[dict[str, Any]]:
    """Both views, what moved the value, leaders, advice, and the SQL."""
    blocks = _explained(transition, context)
    if transition.evidence.counts:
        blocks.append(section(_leaders(transition, context)))
    if advice and context.advice:
        blocks.append(section(context.advice))
    if transition.evidence.sql:
        blocks.append(section(_code("SQL that reproduces the value:", transition.evidence.sql)))
    return blocks


def _explained(transition: AlertTransition, context: MessageContext) -> list[dict[str, Any]]:
    found = transition.evidence.explanation
    if found is None:
        return []
    texts = [
        ("Both views", views_text(found, _lines(transition, context))),
        ("What moved it", moved_text(found.moved) if found.moved else ""),
    ]
    return [section(f"*{head}*\n{escape(text)}") for head, text in texts if text]


def _buttons(transition: AlertTransition, context: MessageContext) -> list[dict[str, Any]]:
    if not context.buttons or transition.state not in ANNOUNCING_STATES:
        return []
    has_value = transition.value is not None and transition.evidence.height is not None
    return [buttons_block(transition.alert_id, acknowledged=bool(context.acknowledged), has_value=has_value)]


def _origin(transition: AlertTransition, context: MessageContext) -> dict[str, Any]:
    attribution = transition.evidence.attribution_id
    return _context(
        f"alert {transition.alert_id} · step {transition.sequence} · rule {transition.rule_id} ({transition.rule_hash}) "
        f"· dataset {escape(context.dataset)}{f' · attribution {escape(attribution)}' if attribution else ''} · "
        f"`counterpoise alerts show {transition.alert_id}`"
        + (f" · <{escape(context.page_url)}|alert page>" if context.page_url else "")
    )


def _leaders(transition: AlertTransition, context: MessageContext) -> str:
    """The five largest, with the change of their share in percentage points against earlier windows."""
    found = transition.evidence
    n = found.n or 1
    heads = "".join(f"{f'vs {past.blocks_ago} ago':>13}" for past in context.past)
    lines = [f"{'pool':<18}{'blocks':>7}{'share':>9}{heads}"]
    for name, count in found.counts[:5]:
        changes = "".join(f"{_change(name, count / n, past):>13}" for past in context.past)
        lines.append(f"{_plain(name)[:17]:<18}{count:>7}{TEXT.share(count / n):>9}{changes}")
    return "*Leaders*, change in percentage points\n```" + "\n".join(lines) + "```"


def _change(name: str, share: float, past: Past) -> str:
    if not past.n:
        return "–"
    before = past.counts.get(name)
    if before is None:
        return "not in top 6"
    return TEXT.points(share - before / past.n)


def _plain(text: str) -> str:
    return escape(text.replace("`", "'").replace("\n", " "))


def _code(label: str, sql: str) -> str:
    quoted = escape(sql.replace("```", "'''"))
    return f"{label}\n```{cut(quoted, MAX_SECTION_CHARACTERS - len(label) - 8)}```"


def header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": cut(text, MAX_HEADER_CHARACTERS), "emoji": True}}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text, MAX_SECTION_CHARACTERS)}


def _pages(lines: Sequence[str], further: Callable[[int], str], most: int = MAX_PAGES) -> list[dict[str, Any]]:
    """Whole lines in as many sections as they need, `most` at most, and below them what `further` has of the number left out."""
    pages: list[list[str]] = [[]]
    shown = 0
    for line in (cut(line, MAX_LINE_CHARACTERS) for line in lines):
        if sum(len(one) + 1 for one in pages[-1]) + len(line) > MAX_SECTION_CHARACTERS - MAX_FURTHER_CHARACTERS:
            if len(pages) == most:
                break
            pages.append([])
        pages[-1].append(line)
        shown += 1
    last = further(len(lines) - shown)
    pages[-1] += [last] if last else []
    return [section("\n".join(page)) for page in pages]


def _fields(facts: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """As many sections as ten fields each need."""
    fields = [_mrkdwn(f"*{name}*\n{value}", MAX_FIELD_CHARACTERS) for name, value in facts]
    pages = (fields[at : at + MAX_FIELDS] for at in range(0, len(fields), MAX_FIELDS))
    return [{"type": "section", "fields": page} for page in pages]


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_mrkdwn(text, MAX_SECTION_CHARACTERS)]}


def _mrkdwn(text: str, limit: int) -> dict[str, Any]:
    """`verbatim`: Slack makes no links, mentions or channels of what looks like one."""
    return {"type": "mrkdwn", "text": cut(text, limit), "verbatim": True}
