"""A new table is made in a dataset of before, and the docs list it with every column."""

from __future__ import annotations

from pathlib import Path

from tests.extend.proving import Upgraded


def test_a_dataset_of_before_gets_it(upgraded: Upgraded) -> None:
    assert upgraded.done == ["table desk_notes_log"]
    for version, note in ((1, "late"), (2, "late by an hour")):
        upgraded.ch.execute(f"INSERT INTO desk_notes_log VALUES ('bitcoin', 800000, '{note}', {version})")
    assert upgraded.ch.query("SELECT note FROM desk_notes_log FINAL") == [("late by an hour",)]


def test_the_docs_list_it() -> None:
    page = Path("docs/tables.md").read_text(encoding="utf-8")
    section = page.partition("### desk_notes_log\n")[2].partition("\n### ")[0]
    assert section.lstrip().startswith("Notes of the desk on single blocks.")
    assert [line.split(" | ")[0] for line in section.splitlines() if " | `" in line] == [
        "| chain",
        "| height",
        "| note",
        "| version",
    ]
