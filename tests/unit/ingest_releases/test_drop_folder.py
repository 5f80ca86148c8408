"""The drop folder: every file is read once, whole, and ends in one of two places, whenever the process dies."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from counterpoise.errors import ConfigError
from counterpoise.series.load import load_catalogue
from counterpoise.settings.sections.market_sections import DropSettings
from ingest.releases.drop_folder import DropFolder
from ingest.releases.journal.release_journal import ReleaseJournal
from ingest.releases.mapping.mapping_file import shipped_names
from testkit.manual_clock import ManualClock

CSV = """company,segment,revenue_usd,period_start,period_end,filed
Core Scientific,ai_hpc,24400000,2024-01-01,2024-12-31,2025-03-05
Core Scientific,mining,408700000,2024-01-01,2024-12-31,2025-03-05
"""


class Box:
    """A drop folder with its journal, and ways to reopen both as a new process would."""

    def __init__(self, root: Path, *, journal_bytes: int = 1 << 24, max_file_bytes: int = 1 << 20) -> None:
        self.root = root
        self.clock = ManualClock(1_795_000_000.0)
        self.counts: Counter[str] = Counter()
        self.journal_bytes = journal_bytes
        self.max_file_bytes = max_file_bytes
        (root / "in" / "miner-pivot").mkdir(parents=True, exist_ok=True)
        self.open()

    @property
    def inbox(self) -> Path:
        return self.root / "in" / "miner-pivot"

    def open(self) -> None:
        self.journal = ReleaseJournal(self.root / "journal", max_bytes=self.journal_bytes)
        settings = DropSettings(folder=self.root / "in", settle_seconds=2, max_file_bytes=self.max_file_bytes)
        self.folder = DropFolder(settings, load_catalogue(), self.journal, clock=self.clock, count=self._count)

    def _count(self, name: str) -> None:
        self.counts[name] += 1

    def close(self) -> None:
        self.folder.close()
        self.journal.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    def put(self, name: str, content: str | bytes = CSV) -> Path:
        path = self.inbox / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (1_790_000_000, 1_790_000_000))
        return path

    def settle(self) -> int:
        """Two looks, three seconds apart."""
        self.folder.scan()
        self.clock.advance(3)
        return self.folder.scan()

    def where(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.inbox / folder).iterdir())

    def why(self, name: str) -> str:
        return (self.inbox / "failed" / f"{name}.why.txt").read_text().strip()


@pytest.fixture
def open_box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    opened: list[Box] = []

    def opening(**more: int) -> Box:
        opened.append(Box(tmp_path, **more))
        return opened[-1]

    yield opening
    for box in opened:
        box.close()


@pytest.fixture
def box(open_box: Callable[..., Box]) -> Box:
    return open_box()


def test_a_file_is_journalled_and_then_moved(box: Box) -> None:
    box.put("core.csv")
    assert box.settle() == 1
    assert (box.where("processed"), box.where("failed"), box.where(".taken")) == (["core.csv"], [], [])
    (key,) = box.journal.pending()
    entry = box.journal.read(key)
    assert entry is not None
    assert [(o.owner, o.part, o.value) for o in entry.events[0].observations] == [
        ("Core Scientific", "ai_hpc", 24_400_000.0),
        ("Core Scientific", "mining", 408_700_000.0),
    ]
    assert box.counts == {"dropped_files": 1}


def test_megawatts_have_a_shipped_mapping_too(box: Box) -> None:
    folder = box.root / "in" / "miner-pivot-megawatts"
    folder.mkdir()
    file = folder / "2025-12-31.csv"
    file.write_text("company,status,megawatts,day,published\nHut 8,announced,330,2025-12-31,2026-01-01\n")
    os.utime(file, (1_790_000_000, 1_790_000_000))
    assert box.settle() == 1
    (key,) = box.journal.pending()
    entry = box.journal.read(key)
    assert entry is not None
    [event] = entry.events
    assert (event.series, event.unit, event.period_end) == ("miner-pivot-megawatts", "MW", "2025-12-31")
    assert [(o.owner, o.part, o.value) for o in event.observations] == [("Hut 8", "announced", 330.0)]


def test_a_file_that_is_still_written_is_left_alone(box: Box) -> None:
    path = box.put("core.csv", CSV[:60])
    assert box.folder.scan() == 0
    box.clock.advance(1.5)
    path.write_text(CSV)
    assert box.folder.scan() == 0
    box.clock.advance(1.5)
    assert box.folder.scan() == 0, "it changed 1.5 seconds ago"
    box.clock.advance(0.5)
    assert box.folder.scan() == 1
    assert box.where("processed") == ["core.csv"]


@pytest.mark.parametrize("name", [".core.csv", "core.csv.part", "core.tmp", "core.crdownload"])
def test_names_of_unfinished_files_are_never_taken(box: Box, name: str) -> None:
    box.put(name)
    assert box.settle() == 0
    assert (box.inbox / name).exists()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("core.csv", CSV.replace("408700000", "lots"), "core.csv: row 2: value: 'lots' is no number"),
        ("core.csv", CSV.replace("mining", "gold"), "core.csv: row 2: part: 'gold' is none of ai_hpc, mining, other"),
        ("core.csv", CSV + "short,line\n", "core.csv, line 4: 2 cells under 6 columns"),
        (
            "core.csv",
            CSV.replace("2025-03-05", "2062-03-05"),
            "core.csv: published_at_ms: 2908742400000 is more than a day in the future",
        ),
        ("core.csv", "", "core.csv: expected a header line of distinct column names"),
        ("core.xlsx", "PK", "core.xlsx: expected a name that ends in .csv, .jsonl, .json, .parquet"),
        ("core.csv", b"x" * 2_000_000, "core.csv has 2000000 bytes, at most 1048576 are read"),
    ],
)
def test_a_file_that_cannot_be_read_fails_whole_and_says_why(
    box: Box, name: str, content: str | bytes, why: str
) -> None:
    box.put(name, content)
    assert box.settle() == 1
    assert box.where("failed") == [name, f"{name}.why.txt"]
    assert box.why(name) == why
    assert box.journal.pending() == []
    assert box.settle() == 0


def test_links_are_not_followed(box: Box, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(CSV)
    (box.inbox / "link.csv").symlink_to(secret)
    assert box.settle() == 1
    assert box.why("link.csv") == "link.csv is no plain file"
    assert secret.exists()


def test_a_mended_file_may_have_the_same_name(box: Box) -> None:
    box.put("core.csv", "bad")
    box.settle()
    box.put("core.csv")
    box.settle()
    box.put("core.csv", CSV.replace("24400000", "24500000"))
    box.settle()
    assert box.where("processed") == ["core.2.csv", "core.csv"]
    assert len(box.journal.pending()) == 2


def test_the_same_content_again_is_the_same_release(box: Box) -> None:
    box.put("core.csv")
    box.settle()
    box.put("copy.csv")
    box.settle()
    assert box.where("processed") == ["copy.csv", "core.csv"]
    assert len(box.journal.pending()) == 1


class DiedError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("point", ["market-after-take", "market-after-journal"])
def test_a_death_between_two_steps_loses_and_doubles_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    def die(name: str) -> None:
        if name == point:
            raise DiedError

    box.put("core.csv")
    box.put("other.csv", CSV.replace("Core Scientific", "IREN"))
    with monkeypatch.context() as patched:
        patched.setattr("ingest.releases.drop_folder.crash_point", die)
        with pytest.raises(DiedError):
            box.settle()
    assert box.where(".taken") == ["core.csv"]
    assert box.where("processed") == []
    box.reopen()
    box.settle()
    assert (box.where("processed"), box.where(".taken"), box.where("failed")) == (["core.csv", "other.csv"], [], [])
    assert len(box.journal.pending()) == 2


def test_a_death_before_the_move_to_failed_repeats_it(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise DiedError

    box.put("core.csv", "bad")
    box.folder.scan()
    box.clock.advance(3)
    with monkeypatch.context() as patched:
        patched.setattr("ingest.releases.drop_folder.DropFolder._fail", die)
        with pytest.raises(DiedError):
            box.folder.scan()
    box.reopen()
    assert box.folder.scan() == 1
    assert box.where("failed") == ["core.csv", "core.csv.why.txt"]


def test_a_full_journal_keeps_the_file_waiting(open_box: Callable[..., Box]) -> None:
    box = open_box(journal_bytes=1_500)
    box.put("a.csv")
    box.put("b.csv", CSV.replace("Core Scientific", "B" * 150))
    box.put("c.csv", CSV.replace("Core Scientific", "C" * 150))
    box.settle()
    assert box.where(".taken") != []
    while box.journal.pending():
        box.journal.retire(box.journal.pending())
        box.folder.scan()
    assert (box.where(".taken"), box.where("failed")) == ([], [])
    assert box.where("processed") == ["a.csv", "b.csv", "c.csv"]


def test_a_folder_has_one_reader(box: Box) -> None:
    with pytest.raises(ConfigError, match="is read by another process: give each its own"):
        DropFolder(
            DropSettings(folder=box.root / "in"), load_catalogue(), box.journal, clock=box.clock, count=lambda _: None
        )


def test_a_folder_without_a_mapping_is_named_and_hinders_no_other(box: Box) -> None:
    strange = box.root / "in" / "strange"
    strange.mkdir()
    box.reopen()
    with structlog.testing.capture_logs() as lines:
        box.settle()
        assert lines == [], "an empty one is nobody's mistake yet"
        (strange / "x.csv").write_text(CSV)
        box.reopen()
        box.put("core.csv")
        assert box.settle() == 1
    assert [line["reason"] for line in lines if line["event"] == "a drop folder cannot be read"] == [
        f"{strange} has no mapping.yaml and is named after no shipped mapping ({', '.join(shipped_names())})"
    ]
    assert (strange / "x.csv").exists()


def test_files_where_none_are_read_are_named_once(box: Box) -> None:
    (box.root / "in" / "core.csv").write_text(CSV)
    (box.inbox / "2026").mkdir()
    (box.inbox / "2026" / "core.csv").write_text(CSV)
    (box.root / "in" / ".hidden.csv").write_text(CSV)
    with structlog.testing.capture_logs() as lines:
        box.settle()
        box.settle()
    assert sorted((line["path"], line["reason"]) for line in lines) == [
        (str(box.root / "in" / "core.csv"), "put it into the folder of a mapping"),
        (str(box.inbox / "2026" / "core.csv"), "folders within miner-pivot are not read: move it up"),
    ]
    (box.root / "in" / "core.csv").rename(box.inbox / "core.csv")
    assert box.settle() == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"Z\xfcrich.csv",
        b"x" * 251 + b".csv",
        b"\xff" * 200 + b".csv",
        b"a\nb\x1b[2J.csv",
        b"=cmd.csv",
        b"csv",
        b"\xe2\x80\xae.csv",
    ],
)
@pytest.mark.parametrize("content", [CSV, CSV.replace("mining", "gold"), "bad", ""])
def test_no_name_of_a_file_stops_the_folder(box: Box, raw: bytes, content: str) -> None:
    name = os.fsdecode(raw)
    for _ in range(2):
        box.put(name, content)
        box.put("core.csv")
        assert box.settle() == 2
    good = content == CSV and raw != b"csv"
    ended = [one for one in box.where("processed" if good else "failed") if not one.startswith("core")]
    reasons = [one for one in ended if one.endswith(".why.txt")]
    assert (len(ended), len(reasons)) == ((2, 0) if good else (4, 2))
    for one in reasons:
        text = (box.inbox / "failed" / one).read_bytes().decode()
        assert text.isprintable() or text.strip().isprintable()
    assert box.where(".taken") == []


def test_what_a_reader_cannot_stand_fails_one_file(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OverflowError("date value out of range")

    box.put("core.csv")
    with monkeypatch.context() as patched:
        patched.setattr("ingest.releases.drop_folder.releases_of_file", broken)
        assert box.settle() == 1
    assert box.why("core.csv") == "core.csv cannot be read: OverflowError: date value out of range"
    box.put("good.csv")
    assert box.settle() == 1


@pytest.mark.parametrize("day", ["2026-02-30", "2025-13-01", "0000-00-00", "30 February 2026"])
@pytest.mark.parametrize("where", ["name: own", "2025-01-01", "2025-12-31", "file.modified"])
def test_an_impossible_day_anywhere_in_a_mapping_is_reported(box: Box, day: str, where: str) -> None:
    folder = box.root / "in" / "survey"
    folder.mkdir()
    (folder / "own.jsonl").write_text('{"who": "IREN", "usd": 5}\n')
    (folder / "mapping.yaml").write_text(
        OWN.replace(where, f"{where.split(':', maxsplit=1)[0]}: {day}" if ":" in where else day)
    )
    box.reopen()
    box.put("core.csv")
    with structlog.testing.capture_logs() as lines:
        box.settle()
    assert box.where("processed") == ["core.csv"]
    told = [line for line in lines if line["log_level"] == "error"]
    assert told or (folder / "processed" / "own.jsonl").exists()


OWN = (
    "format: counterpoise-mapping/1\nname: own\ntitle: Own\nseries: miner-pivot\nfields: { owner: row.who, value: row.usd }\n"
    "period: { start: { constant: 2025-01-01 }, end: { constant: 2025-12-31 } }\npublished: file.modified\n"
)


def test_a_mapping_may_come_later_and_be_mended_without_a_restart(box: Box) -> None:
    folder = box.root / "in" / "survey"
    folder.mkdir()
    file = folder / "own.jsonl"
    file.write_text('{"who": "IREN", "dollars": 5}\n')
    os.utime(file, (1_790_000_000, 1_790_000_000))
    with structlog.testing.capture_logs() as lines:
        for content in (None, None, OWN.replace("miner-pivot", "none"), OWN.replace("row.usd", "row.dollars")):
            if content is not None:
                (folder / "mapping.yaml").write_text(content)
            box.settle()
    reasons = [line["reason"] for line in lines if line["event"] == "a drop folder cannot be read"]
    assert len(reasons) == 2, "each reason once"
    assert "has no mapping.yaml" in reasons[0]
    assert "'none' is not in the catalogue" in reasons[1]
    assert len(box.journal.pending()) == 1
    assert (folder / "processed" / "own.jsonl").exists()


def test_a_file_that_may_not_be_read_fails_and_ends_nothing(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    box.put("core.csv")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refuse)
        assert box.settle() == 1
    assert box.why("core.csv") == "core.csv cannot be read: Permission denied"


def test_a_file_that_is_taken_away_before_it_is_taken_is_nobodys_mistake(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: Path, to: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    box.put("core.csv")
    with monkeypatch.context() as patched:
        patched.setattr("ingest.releases.drop_folder.move_durably", gone)
        assert box.settle() == 0
    assert box.settle() == 1


def test_a_folders_own_mapping_wins_over_the_shipped_one(box: Box) -> None:
    (box.inbox / "mapping.yaml").write_text(OWN)
    box.reopen()
    box.put("own.jsonl", '{"who": "IREN", "usd": 5}\n')
    assert box.settle() == 1
    (key,) = box.journal.pending()
    entry = box.journal.read(key)
    assert entry is not None
    assert entry.events[0].published_at_ms == 1_790_000_000_000
    assert (box.inbox / "mapping.yaml").exists()
