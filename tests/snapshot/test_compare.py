"""What a comparison says, and what is left out of the words of a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.snapshot.compare import SHOWN_CHARACTERS, compare
from tests.snapshot.console import PROGRESS, Console
from tests.snapshot.take import answer


def _snapshot(directory: Path, **files: str) -> Path:
    directory.mkdir()
    for name, text in {"complete": "", **files}.items():
        (directory / name).write_text(text)
    return directory


def test_equal_snapshots_have_no_difference(tmp_path: Path) -> None:
    assert compare(_snapshot(tmp_path / "a", blocks="1 rows\n"), _snapshot(tmp_path / "b", blocks="1 rows\n")) == []


def test_a_difference_far_into_a_line_is_shown(tmp_path: Path) -> None:
    row = '{"height":1,' + '"x":0,' * SHOWN_CHARACTERS
    lines = compare(_snapshot(tmp_path / "a", t=row + '"hhi":1652}'), _snapshot(tmp_path / "b", t=row + '"hhi":1653}'))
    assert [line[:11] for line in lines[-2:]] == ['-{"height":', '+{"height":']
    assert '"hhi":1652}' in lines[-2] and '"hhi":1653}' in lines[-1]
    assert all(len(line) < 2 * SHOWN_CHARACTERS for line in lines[1:])


def test_a_missing_file_is_a_difference(tmp_path: Path) -> None:
    lines = compare(_snapshot(tmp_path / "a", gone="x\n"), _snapshot(tmp_path / "b"))
    assert "(absent)" in lines[0] and lines[-1] == "-x\n"


def test_half_a_snapshot_is_refused(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    with pytest.raises(SystemExit, match="no complete snapshot"):
        compare(tmp_path / "half", _snapshot(tmp_path / "b"))


def test_only_what_changes_from_run_to_run_is_left_out(tmp_path: Path) -> None:
    console = Console(tmp_path, tmp_path, {"/tmp/snapshot-x": "WORK"})
    said = "kafka      127.0.0.1:34229 in 14.9 ms, process 17 on port 8123, /tmp/snapshot-x/state; 282,174 blocks in 31.1 s: 9 of 9"
    assert console.normalised(said) == (
        "kafka  127.0.0.1:PORT in DURATION, process PID on port PORT, WORK/state; 282,174 blocks in DURATION: 9 of 9"
    )
    group = "demo.streams  demo.pairs.v1      3         28   28    0\nalerts   stopped    0  65 s ago    counterpoise run alerts\n"
    assert (
        console.normalised(group)
        == "demo.streams  demo.pairs.v1  3  N  N  0\nalerts  stopped  0  counterpoise run alerts\n"
    )
    assert console.normalised("2026-04-22  top4 0.7123 [0.6835, 0.7393] height 946236 HHI 1652") == (
        "2026-04-22  top4 0.7123 [0.6835, 0.7393] height 946236 HHI 1652"
    )


def test_an_answer_keeps_all_but_times_and_the_last_digits() -> None:
    said = (
        '$ counterpoise sql\n{"age_days": 218, "hhi": 0.17870153038758624, "n": 1008, "sent_at": null}\nexit code 0\n'
    )
    assert answer(said) == '$ counterpoise sql\n{"hhi": 0.17870153, "n": 1008}\nexit code 0\n'


def test_progress_is_left_out_and_alerts_stay() -> None:
    alert = (
        "2022-10-30 03:52  FIRING    top4-share  1008 blocks (raw)  75.50% [72.7%, 78.1%]  line 75%  height 760903\n"
    )
    assert PROGRESS.sub("", "2023-01-25  height 773558  top-4 78.3%\n" + alert) == alert
