"""The sections of the page that are tables: alerts, and data quality. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from counterpoise.formats import NOT_KNOWN, PAGE
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.spans import DAY_SECONDS
from desk.report import html_parts as parts
from desk.report.html_tables import Attention
from desk.report.report_model import Episode, MiningNow, Report, SeriesAge


def alerts(report: Report) -> str:
    """Each time that an alert fired, newest first."""
    title = "Alerts"
    again = parts.ask_again(report.questions.get("alerts"))
    if not report.episodes:
        none = "None fired in this time." if report.shares else "None fired, and nothing has been scored yet."
        return parts.section("alerts", title, none, again)
    now = report.now.get(report.view)
    newest = now.time if now else report.made_at
    ordered = sorted(report.episodes, key=lambda one: (one.fired_at, one.alert_id), reverse=True)
    lede = "Every firing, newest first. The peak is the highest top-4 share in the alert's view and window meanwhile."
    heads = ("rule", "fired", "#at height", "cleared", "#lasted", "#line", "#peak")
    rows = [_episode(episode, newest) for episode in ordered]
    return parts.section("alerts", title, lede, parts.plain_table(title, heads, rows), again)


def _episode(episode: Episode, newest: datetime) -> Sequence[str]:
    lasted = (episode.cleared_at or max(newest, episode.fired_at)) - episode.fired_at
    return (
        episode.rule_id,
        PAGE.minute(episode.fired_at),
        "" if episode.fired_height is None else PAGE.count(episode.fired_height),
        PAGE.minute(episode.cleared_at) if episode.cleared_at else Attention("firing"),
        PAGE.age(lasted.total_seconds()),
        _line(episode),
        "" if episode.peak_top4 is None else PAGE.share(episode.peak_top4, 2),
    )


def _line(episode: Episode) -> str:
    """The line of the rule in the unit of its metric; nothing where it is about no window."""
    spec = SPECS.get(episode.metric)
    if episode.threshold is None or (spec is None and episode.peak_top4 is None):
        return ""
    return PAGE.share(episode.threshold, None) if spec is None else PAGE.metric_line(episode.threshold, spec.kind)


def quality(report: Report) -> str:
    """Unknown blocks, ages, coverage, dead letters."""
    title = "Data quality"
    now = report.now.get(report.view)
    rows: list[Sequence[str]] = [("Mining side", NOT_KNOWN, "no window is scored yet")]
    if now is not None:
        rows = _mining(report, now)
    rows += [_series(one) for one in report.series if one.period_end is not None]
    absent = [one.series for one in report.series if one.period_end is None]
    if absent:
        rows.append(("AI: series without a release", PAGE.count(len(absent)), f"not known yet: {', '.join(absent)}"))
    rows += [
        (
            f"Dead letters: {letter.reason}",
            Attention(PAGE.count(letter.letters)) if letter.not_replayed else PAGE.count(letter.letters),
            f"from {letter.service}; {PAGE.count(letter.not_replayed)} not replayed, the last seen {PAGE.minute(letter.last_seen)}",
        )
        for letter in report.dead_letters
    ]
    if not report.dead_letters:
        rows.append(("Dead letters", "0", "every event could be read"))
    return parts.section(
        "quality",
        title,
        "Unknown blocks, the age of each side, and events that could not be read.",
        parts.plain_table(title, ("what", "#value", "that is"), rows),
        parts.ask_again(*(report.questions.get(topic) for topic in ("now", "series", "dead_letters"))),
    )


def _mining(report: Report, now: MiningNow) -> list[Sequence[str]]:
    upper = f"with all of them the top four would have {PAGE.share(now.top4_upper)}" if now.unknown else "none"
    rows: list[Sequence[str]] = [
        (
            "Mining: age",
            PAGE.age((report.made_at - now.time).total_seconds()),
            f"newest block {PAGE.count(now.height)}, {PAGE.minute(now.time)}",
        ),
        (
            "Mining: unknown producer",
            PAGE.share(now.unknown / now.blocks),
            f"{PAGE.count(now.unknown)} of {PAGE.count(now.blocks)} blocks; {upper}",
        ),
    ]
    if report.shares:
        worst = max(report.shares, key=lambda point: point.unknown)
        place = f"in the window up to block {PAGE.count(worst.height)}, {PAGE.day(worst.time)}"
        rows.append(("Mining: unknown at most", PAGE.share(worst.unknown), place))
    return rows


def _series(one: SeriesAge) -> Sequence[str]:
    said = [
        f"{one.layer.replace('_', ' ')}; figures up to {PAGE.day(one.period_end)}, published {PAGE.day(one.published_at)}"
    ]
    if one.residual_share:
        said.append(f"{PAGE.share(one.residual_share)} in buckets without a name")
    if one.missing:
        said.append(f"{PAGE.count(one.missing)} of the list {one.list_id} missing")
    if one.imputed:
        said.append(f"{PAGE.count(one.imputed)} {'value' if one.imputed == 1 else 'values'} without a published error")
    state = PAGE.age(None if one.age_days is None else one.age_days * DAY_SECONDS)
    return (f"AI: {one.series}", Attention(f"{state}, stale") if one.stale else state, "; ".join(said))
