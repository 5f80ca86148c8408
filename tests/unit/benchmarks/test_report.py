"""What a benchmark writes into docs/benchmarks.md stands between its own two lines, and nothing else moves."""

from __future__ import annotations

import pytest

from bench.report import DOCUMENT, Figure, table, with_part


@pytest.mark.parametrize("name", ["chains", "desk", "history", "peers", "rules"])
def test_the_page_takes_what_is_written_and_keeps_the_rest(name: str) -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    once = with_part(page, name, "first")
    begin, end = f"<!-- {name}: written by `python -m bench.{name} --write` -->\n", f"\n<!-- {name} end -->"
    assert once == page.partition(begin)[0] + begin + "first" + end + page.partition(end)[2]
    assert with_part(with_part(once, name, "second"), name, "first") == once


def test_a_page_without_the_lines_is_refused() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the line <!-- nothing: written by"):
        with_part(page, "nothing", "text")
    with pytest.raises(ValueError, match="lacks the line <!-- desk end -->"):
        with_part(page.replace("<!-- desk end -->", ""), "desk", "text")


def test_a_figure_is_a_row_with_its_ratio() -> None:
    rows = table([Figure("start", 1.5, "s", 3.0), Figure("one row in", 10.0, "ms", 8.0, "b8922e1")]).splitlines()
    assert rows[2:] == [
        "| start | 1.50 s | limit 3.00 s | 0.50 |",
        "| one row in | 10.00 ms | b8922e1 8.00 ms | 1.25 |",
    ]
