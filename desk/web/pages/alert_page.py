"""`/alert/ID`: one alert with its steps, and its evidence asked again and compared."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime

from clickhouse_driver.errors import Error as ClickHouseError

from alerts.rule_queries import answer_to
from alerts.rules.condition import condition_of
from alerts.rules.rule_types import RULE_TYPES
from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.explain_window import read_pair
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, OPEN_STATES
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.explain.explained_change import Explanation, explain
from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from counterpoise.windows import VIEWS
from desk.asker import Asker
from desk.question import Question, Row
from desk.report import report_plots as plots
from desk.web import markup
from desk.web.pages.alert_people import ActionForm, SilencedAlert, draw_people
from desk.web.pages.alert_values import Values, draw_values, read_values
from desk.web.panels import shares_panel
from desk.web.panels.moved_panel import METRIC, WEEK_SECONDS
from desk.web.panels.moved_panel import table as moved_table
from desk.web.panels.panel import PageContext
from desk.web.panels.shares_panel import Shares

TOLERANCE = 1e-9
CLOSED = ("resolved", "inactive", "retracted")


@dataclass(frozen=True, slots=True)
class AlertPage:
    """The steps, and the value that the evidence SQL of the last firing gives now; None where it has none for this alert."""

    steps: list[Row]
    computed: float | None
    problem: str
    questions: tuple[Question, ...]
    around: Shares | None = None
    """The share around the firing; None where the alert is of another rule than the one that plots draw."""
    values: Values | None = None
    """The value of any other rule around the firing, or why there is none; None beside `around`."""
    moved: Explanation | None = None
    """The change of the top-4 share in the week before, by pool; None for another kind of alert."""
    people: tuple[Row, ...] = ()
    """What people asked for about the alert, the oldest first."""


def read(clickhouse: ClickHouse, context: PageContext, alert_id: str) -> AlertPage | None:
    """None for an alert that does not exist."""
    asker = Asker(clickhouse, context.dataset)
    steps = asker.ask("steps", "alert_steps", alert=alert_id)
    if not steps:
        return None
    computed, problem = None, ""
    shown = shown_step(steps)
    if shown["reproduce_sql"] and shown["value"] is not None:
        try:
            computed = _ask(clickhouse, shown, context.now)
        except (CounterpoiseError, ClickHouseError, ValueError) as error:
            problem = " ".join(str(error).split())[:300]
    around: Shares | None = None
    values: Values | None = None
    cleared = steps[-1]["height"] if steps[-1]["state"] in CLOSED else None
    if has_chart(shown, context):
        around = shares_panel.read_around(asker, shown, cleared)
    else:
        values = read_values(asker, shown, cleared)
    moved = _moved(asker, shown)
    people = tuple(asker.ask("people", "alert_people", alert=alert_id))
    return AlertPage(steps, computed, problem, tuple(asker.questions.values()), around, values, moved, people)


def _moved(asker: Asker, step: Row) -> Explanation | None:
    if not step["window_blocks"] or step["height"] is None or step["view"] not in VIEWS:
        return None
    height, window = int(step["height"]), int(step["window_blocks"])
    try:
        pair = read_pair(
            asker.clickhouse,
            step["chain"],
            step["view"],
            window,
            height=height,
            from_height=None,
            over_seconds=WEEK_SECONDS,
        )
        found = explain(METRIC, pair.before, pair.after, remapped=pair.remapped)
    except (ConfigError, ValueError):  # no window so long before
        return None
    where = ("--chain", step["chain"], "--view", step["view"], "--window", str(window), "--height", str(height))
    asker.note("moved", "explain", "top4", *where)
    return found


def has_chart(step: Row, context: PageContext) -> bool:
    """Whether the step rests on the top-4 share that the page plots: the same rule, and blocks to draw."""
    line = context.line
    return line is not None and step["rule_id"] == line.rule_id and step["view"] in VIEWS and step["height"] is not None


def _ask(clickhouse: ClickHouse, step: Row, now: datetime) -> float | None:
    """The value that the evidence of a step gives now; None without one (a rule on the clock has another kind of evidence).

    It is the column `value` of the first row, or of the row of the alert's key where the rule has one alert per row.
    """
    sql, chain = step["reproduce_sql"], step["chain"] or BITCOIN.name
    if step["instance"]:
        answer = answer_to(clickhouse, sql, chain, now.timestamp())
        if answer.error:
            raise ConfigError(answer.error)
        return next((row.value for row in answer.rows if row.key == step["instance"]), None)
    for heads, columns in clickhouse.stream(sql, {"chain": chain}):
        names = [name for name, _ in heads]
        if columns and len(columns[0]) and "value" in names:
            value = columns[names.index("value")][0]
            return None if value is None else float(value)
    return None


def reads_newest(step: Row) -> bool:
    """Whether the evidence of a step reads the newest data, so that another value now is no revision."""
    rule_type = RULE_TYPES.get(step["rule_type"])
    return bool(step["instance"]) or (rule_type is not None and rule_type.READS_NEWEST)


def shown_step(steps: list[Row]) -> Row:
    """The last step that fired; where none did, the last step. A firing that a reorganisation states again is no new one."""
    fired = [step for step in steps if step["state"] == "firing"]
    return ([step for step in fired if step["reason"] != "restated"] or fired or steps)[-1]


def draw(found: AlertPage, alert_id: str, context: PageContext, form: ActionForm | None = None) -> str:
    """The body of the page; with a `form` the reader may ask something about an alert that fired."""
    last, shown = found.steps[-1], shown_step(found.steps)
    head = (
        f'<p class="crumbs"><a href="/">Desk</a> › alert {text_of(alert_id)}</p><h1>{text_of(shown["rule_id"])} '
        f'<span class="state {text_of(last["state"])}">{text_of(last["state"])}</span></h1>'
        f'<p class="statement">{text_of(PAGE.tie(shown["summary"]))}</p>'
    )
    moved = ""
    if found.moved:
        title = f"What moved the top-4 share in the week before: {PAGE.points(found.moved.change, 2)} points"
        moved = f'<section class="panel broad"><h2>{title}</h2>{moved_table(found.moved)}</section>'
    return (
        head
        + draw_people(
            found.people,
            alert_id,
            form if any(step["state"] in ANNOUNCING_STATES for step in found.steps) else None,
            context.now,
            fires=last["state"] in ANNOUNCING_STATES,
            alert=SilencedAlert(last["state"] in OPEN_STATES, lambda line: _is_worse(found, line)),
        )
        + _chart(found, context)
        + _evidence(found, shown)
        + moved
        + _timeline(found.steps)
        + markup.asked(found.questions)
    )


def _is_worse(found: AlertPage, line: float) -> bool:
    """Whether the newest value of an open alert is worse than a line; False where the page has no such value, or no side is worse."""
    step = shown_step(found.steps)
    newest = found.around.points[-1].share if found.around and found.around.points else None
    if found.values is not None and found.values.points:
        newest = found.values.points[-1].value
    if newest is None or step["value"] in (None, step["threshold"]) or step["threshold"] is None:
        return False
    return bool(newest > line if step["value"] > step["threshold"] else newest < line)


def _chart(found: AlertPage, context: PageContext) -> str:
    if found.values is not None:
        return _value_chart(found, found.values)
    if found.around is None:
        return ""
    return (
        f'<section class="panel broad"><h2>The share around the alert</h2>{shares_panel.chart(found.around, context, plots.WIDE)}'
        + markup.meta(
            (
                f"windows of {PAGE.count(shown_step(found.steps)['window_blocks'])} blocks",
                f"{found.around.view} view",
                "pale band: 95 % interval",
                "shaded: the alert was firing",
            )
        )
        + "</section>"
    )


def _value_chart(found: AlertPage, values: Values) -> str:
    step = shown_step(found.steps)
    words = condition_of(step["metric"])
    subject = f"{words.title[0].upper()}{words.title[1:]}" if words else f"Value of the rule {step['rule_id']}"
    plot = draw_values(values, found.steps, step["metric"], subject)
    window = [f"windows of {PAGE.count(step['window_blocks'])} blocks", f"{step['view']} view"] if values.points else []
    return (
        f'<section class="panel broad"><h2>The value around the alert</h2>{plot}'
        + (markup.meta([*window, "the value of the rule at each block, by the SQL of its evidence"]) if window else "")
        + "</section>"
    )


def _evidence(found: AlertPage, step: Row) -> str:
    value = step["value"]
    rows = [
        ("Value when it fired", _plain(value)),
        ("Line", _plain(step["threshold"])),
        (
            "95 % interval",
            "none"
            if step["interval_low"] is None
            else f"{_plain(step['interval_low'])} to {_plain(step['interval_high'])}",
        ),
        (
            "Blocks",
            f"{PAGE.count(step['from_height'])} to {PAGE.count(step['height'])}, {PAGE.count(step['n'])} in the window",
        ),
        ("Unknown blocks", PAGE.count(step["unknown"])),
        ("View", step["view"] or "none"),
        ("Attribution", step["attribution_id"] or "none"),
        ("Tip", step["tip_hash"] or "none"),
    ]
    facts = "".join(f"<div><dt>{text_of(name)}</dt><dd>{text_of(words)}</dd></div>" for name, words in rows)
    counts = [(pool, PAGE.count(blocks)) for pool, blocks in step["counts"]]
    integers = markup.scrolled_table("Leaders", ("pool", "#blocks"), counts) if counts else ""
    return (
        f'<section class="panel broad"><h2>Evidence</h2><dl class="facts">{facts}</dl>{_compared(found, step)}{integers}'
        + (
            f"<details open><summary>SQL of the value{_parameter(step)}</summary>"
            f'<pre tabindex="0">{text_of(step["reproduce_sql"])}</pre></details>'
            if step["reproduce_sql"]
            else ""
        )
        + "</section>"
    )


def _parameter(step: Row) -> str:
    """The value of the query's parameter, where it has one."""
    bound = re.search(r"\{\s*chain\s*:", step["reproduce_sql"])
    return text_of(f", with chain={step['chain'] or BITCOIN.name}") if bound else ""


def _compared(found: AlertPage, step: Row) -> str:
    value = step["value"]
    of_key = f" for {text_of(step['instance'])}" if step["instance"] else ""
    if found.problem:
        return f'<p class="verdict bad">The evidence could not be asked again: {text_of(found.problem)}</p>'
    if found.computed is None and value is not None and of_key:
        return f'<p class="verdict">Asked again now, the query gives no value{of_key}. The alert recorded {_plain(value)}.</p>'
    if found.computed is None or value is None:
        return '<p class="verdict">This alert rests on no value that could be computed again.</p>'
    again = f'Asked again now, the evidence gives <b data-figure="computed">{_plain(found.computed)}</b>{of_key}'
    if agrees(found.computed, value):
        return f'<p class="verdict good">{again}: the same value.</p>'
    if reads_newest(step):
        return (
            f'<p class="verdict">{again}. The alert recorded {_plain(value)}. '
            "The query reads the newest data, so its value changes with them.</p>"
        )
    return (
        f'<p class="verdict bad">{again}. The alert recorded {_plain(value)}: the data below it were revised since.</p>'
    )


def agrees(computed: float, recorded: float) -> bool:
    """Whether two values are the same but for rounding; two that are undefined are.

    >>> agrees(0.75, 0.75 + 1e-12), agrees(0.75, 0.76)
    (True, False)
    """
    if math.isnan(computed) or math.isnan(recorded):
        return math.isnan(computed) and math.isnan(recorded)
    return math.isclose(computed, recorded, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _timeline(steps: list[Row]) -> str:
    items = "".join(_step(step) for step in steps)
    return f'<section class="panel broad"><h2>Timeline</h2><ol class="alerts timeline">{items}</ol></section>'


def _step(step: Row) -> str:
    state = text_of(step["state"])
    block = f" at block {PAGE.count(step['height'])}" if step["height"] is not None else ""
    reason = f' <span class="note">({text_of(step["reason"])})</span>' if step["reason"] != "observed" else ""
    return (
        f'<li class="{state}"><span class="state">{state}</span> {markup.time_of(step["event_time"])}{block}{reason}'
        f'<br><span class="note">{text_of(PAGE.tie(step["summary"]))}</span></li>'
    )


def _plain(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
