"""The journal keeps what it accepted, whatever happens to its last bytes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.errors import ConfigError
from ingest.releases.journal.entry import entry_from_bytes, entry_of, withdrawal_of
from ingest.releases.journal.release_journal import JournalFullError, ReleaseJournal
from tests.unit.ingest_releases.releases import a_release

MIB = 1 << 20


def open_journal(folder: Path, **more: int) -> ReleaseJournal:
    return ReleaseJournal(folder, max_bytes=more.pop("max_bytes", 64 * MIB), **more)


def test_an_entry_survives_its_bytes() -> None:
    entry = entry_of(a_release(observations=2_500))
    assert len(entry.events) == 3
    assert entry_from_bytes(entry.to_bytes()) == entry
    taken_back = withdrawal_of(a_release(), 1_780_000_000_000)
    assert taken_back.key.endswith(":withdrawn")
    assert entry_from_bytes(taken_back.to_bytes()) == taken_back


def test_what_was_appended_is_there_after_a_restart(tmp_path: Path) -> None:
    entries = [entry_of(a_release(f"owner {i}")) for i in range(5)]
    journal = open_journal(tmp_path)
    assert journal.append(entries) == [True] * 5
    journal.close()
    again = open_journal(tmp_path)
    assert again.pending() == [entry.key for entry in entries]
    assert again.read(entries[3].key) == entries[3]
    again.close()


def test_equal_content_is_kept_once(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    entry = entry_of(a_release())
    assert journal.append([entry, entry]) == [True, False]
    size = journal.size_bytes
    assert journal.append([entry]) == [False]
    journal.retire([entry.key])
    assert journal.append([entry]) == [False], "held by ClickHouse a moment ago"
    assert size > 0
    assert journal.size_bytes == 0
    journal.close()


def test_some_are_as_many_as_fit(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    entries = [entry_of(a_release(f"owner {i}")) for i in range(4)]
    journal.append(entries)
    size = len(entries[0].to_bytes())
    keys = ["not here", *journal.pending()]
    assert journal.read_some(keys, max_bytes=2 * size) == entries[:2]
    assert journal.read_some(keys, max_bytes=1) == entries[:1]
    assert journal.read_some(keys, max_bytes=9 * size) == entries
    assert journal.read_some(["not here"], max_bytes=9) == []
    journal.close()


def test_what_was_discarded_is_new_again(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    entry = entry_of(a_release())
    journal.append([entry])
    journal.discard([entry.key, "not here"])
    assert (journal.pending(), journal.knows(entry.key), journal.size_bytes) == ([], False, 0)
    assert journal.append([entry]) == [True]
    assert journal.read(entry.key) == entry
    journal.close()


def test_a_segment_goes_when_all_of_it_is_held(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, segment_bytes=1)
    entries = [entry_of(a_release(f"owner {i}")) for i in range(3)]
    for entry in entries:
        journal.append([entry])
    assert len(list(tmp_path.glob("*.journal"))) == 3
    journal.retire([entries[1].key])
    assert [path.stem for path in sorted(tmp_path.glob("*.journal"))] == ["0000000001", "0000000003"]
    journal.retire([entries[0].key, entries[2].key, "not here"])
    assert list(tmp_path.glob("*.journal")) == []
    assert journal.pending() == []
    assert journal.append([entry_of(a_release("later"))]) == [True]
    journal.close()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_torn_tail_costs_only_what_was_never_acknowledged(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = open_journal(folder)
    entries = [entry_of(a_release(f"owner {i}")) for i in range(3)]
    ends = []
    for entry in entries:
        journal.append([entry])
        ends.append(journal.size_bytes)
    journal.close()
    (segment,) = folder.glob("*.journal")
    cut = data.draw(st.integers(0, ends[-1]))
    os.truncate(segment, cut)
    whole = sum(end <= cut for end in ends)
    again = open_journal(folder)
    assert again.pending() == [entry.key for entry in entries[:whole]]
    assert again.append([entries[-1]]) == [whole < 3]
    again.close()
    third = open_journal(folder)
    expected = entries[:whole] + ([entries[-1]] if whole < 3 else [])
    assert [third.read(key) for key in third.pending()] == expected
    third.close()


def test_garbage_at_the_end_is_kept_beside(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.append([entry_of(a_release())])
    journal.close()
    (segment,) = tmp_path.glob("*.journal")
    with segment.open("ab") as file:
        file.write(b"\x05\x00\x00\x00abcdnoise")
    again = open_journal(tmp_path)
    assert len(again.pending()) == 1
    assert segment.with_suffix(".cut").read_bytes() == b"\x05\x00\x00\x00abcdnoise"
    again.close()


def test_a_record_of_another_version_does_not_hide_those_after_it(tmp_path: Path) -> None:
    import struct
    import zlib

    journal = open_journal(tmp_path)
    journal.append([entry_of(a_release("first"))])
    journal.close()
    (segment,) = tmp_path.glob("*.journal")
    foreign = b'[{"v": 99}]'
    with segment.open("ab") as file:
        file.write(struct.pack("<II", len(foreign), zlib.crc32(foreign)) + foreign)
    second = open_journal(tmp_path)
    last = entry_of(a_release("last"))
    second.append([last])
    second.close()
    assert [path.read_bytes() for path in tmp_path.glob("*.unreadable")] == [foreign]
    third = open_journal(tmp_path)
    assert len(third.pending()) == 2
    assert third.pending()[-1] == last.key
    third.close()


def test_a_full_journal_accepts_nothing_and_says_why(tmp_path: Path) -> None:
    big = entry_of(a_release(observations=200))
    journal = open_journal(tmp_path, max_bytes=len(big.to_bytes()) + 100)
    journal.append([big])
    with pytest.raises(JournalFullError, match=r"is full \(\d+ bytes\): is ClickHouse taking releases\?"):
        journal.append([entry_of(a_release("one more"))])
    assert journal.pending() == [big.key]
    journal.retire([big.key])
    assert journal.append([entry_of(a_release("one more"))]) == [True]
    journal.close()


def test_a_disk_that_fails_half_way_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_journal(tmp_path)
    first, second, third = (entry_of(a_release(name)) for name in ("first", "second", "third"))
    journal.append([first])

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("ingest.releases.journal.release_journal.sync_file", no_space)
        with pytest.raises(JournalFullError, match="No space left on device"):
            journal.append([second])
    assert not journal.knows(second.key)
    journal.append([third])
    journal.close()
    again = open_journal(tmp_path)
    assert again.pending() == [first.key, third.key]
    again.close()


def test_one_process_a_folder(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    with pytest.raises(ConfigError, match="is in use by another process"):
        open_journal(tmp_path)
    journal.close()
    open_journal(tmp_path).close()


def test_waiting_ends_with_the_next_entry(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert journal.wait_for_more(0, 0.0) == 0
    journal.append([entry_of(a_release())])
    assert journal.wait_for_more(0, 60.0) == 1
    journal.close()
