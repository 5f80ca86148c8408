"""The one command that helps most where something is not healthy. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desk.supervise.health import Health

_RUNS = frozenset({"starting", "working", "waiting", "silent"})


def next_command(report: Health) -> str:
    """A command line; empty where everything is healthy. Engines come before services, which wait for them."""
    problems = [engine.problem for engine in report.engines if engine.problem is not None]
    if any("UNKNOWN_DATABASE" in problem or "UNKNOWN_TABLE" in problem for problem in problems):
        return "counterpoise migrate"
    if any("`counterpoise up`" in problem for problem in problems):
        return "counterpoise up"
    if problems:
        return "counterpoise doctor"
    ill = [service for service in report.services if not service.healthy]
    away = [service for service in ill if service.state not in _RUNS and "its supervisor" not in service.detail]
    if away:
        return "counterpoise run all" if len(away) == len(report.services) else f"counterpoise run {away[0].name}"
    if ill:
        return "counterpoise doctor"
    return "counterpoise rescore" if report.to_rescore else ""
