"""A replay's waits: what the screen names, and that only a lack of progress ends one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from desk.cli.console import Console
from desk.cli.line_view import LineView
from desk.cli.line_waits import FULL_BELOW_BYTES, NoProgress, free_bytes, notice, progress_marks

STATE = Path("/var/lib/counterpoise")


def waiting(on: str, reason: str, since: float = 100.0) -> dict[str, Any]:
    return {"state": "waiting", "waiting_on": on, "wait_reason": reason, "waiting_since": since}


def test_the_notice_names_the_service_what_it_waits_for_and_why() -> None:
    found = {"ingest": {"state": "working"}, "streams": waiting("clickhouse", "Code: 243.\nCannot reserve 1 MiB")}
    said = notice(found, 110.0, STATE, FULL_BELOW_BYTES)
    assert said == "streams waits for clickhouse: Code: 243. Cannot reserve 1 MiB"


def test_a_short_wait_is_not_shown() -> None:
    assert notice({"streams": waiting("kafka", "starts")}, 101.0, STATE, FULL_BELOW_BYTES) == ""


def test_a_full_disk_comes_first() -> None:
    said = notice({"alerts": waiting("clickhouse", "")}, 110.0, STATE, 2 * 1024**2)
    assert said.startswith(f"the disk of {STATE} is full (2 MiB free): ")
    assert said.endswith("; alerts waits for clickhouse")


def test_a_notice_is_printed_once_and_again_after_it_was_over() -> None:
    out = io.StringIO()
    with LineView(Console(file=out, width=80), 0, 10) as view:
        for text in ("streams waits for kafka", "streams waits for kafka", "", "streams waits for kafka"):
            view.notify(text)
    assert out.getvalue().splitlines() == ["waiting: streams waits for kafka"] * 2


def test_a_panel_shows_it() -> None:
    out = io.StringIO()
    with LineView(Console(file=out, width=80, force_terminal=True), 0, 10) as view:
        view.notify("streams waits for kafka")
        view.update(None, [], -1)
    assert "waiting: streams waits for kafka" in out.getvalue()


@given(st.lists(st.tuples(st.floats(0.0, 119.0), st.integers(0, 2)), max_size=30))
def test_a_wait_ends_exactly_where_nothing_changed_for_the_limit(steps: list[tuple[float, int]]) -> None:
    watch, now, since, last = NoProgress(120.0), 0.0, 0.0, None
    for step, mark in steps:
        now += step
        if mark != last:
            since, last = now, mark
        assert watch.look(now, mark) == (now - since >= 120.0)


def test_turns_of_an_idle_loop_are_no_progress() -> None:
    before = {"alerts": {"pid": 1, "last_progress_at": 5.0, "last_beat_at": 6.0}}
    idle = {"alerts": {"pid": 1, "last_progress_at": 5.0, "last_beat_at": 9.0}}
    works = {"alerts": {"pid": 1, "last_progress_at": 8.0, "last_beat_at": 9.0}}
    assert progress_marks(before) == progress_marks(idle) != progress_marks(works)


def test_free_space_of_a_folder_that_is_not_made_yet(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") > 0
