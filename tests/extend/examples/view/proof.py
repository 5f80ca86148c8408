"""A new view is made in a dataset of before, after the view that it reads from, and the docs list it."""

from __future__ import annotations

from pathlib import Path

from tests.extend.proving import Upgraded


def test_a_dataset_of_before_gets_it(upgraded: Upgraded) -> None:
    assert upgraded.done == ["view muted_now"]
    upgraded.ch.execute(
        "INSERT INTO alert_mutes_log (rule_id, until, muted_at, version) "
        "VALUES ('a', now() + INTERVAL 1 DAY, now(), 1), ('b', now() - INTERVAL 1 DAY, now(), 2)"
    )
    assert upgraded.ch.query("SELECT rule_id FROM muted_now") == [("a",)]


def test_the_docs_list_it_among_the_views() -> None:
    page = Path("docs/tables.md").read_text(encoding="utf-8")
    assert page.index("## Views") < page.index("### muted_now") < page.index("## Storage")
