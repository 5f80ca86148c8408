"""The console prints texts as they are."""

from __future__ import annotations

import io

from desk.cli.console import Console


def test_a_word_between_colons_is_no_emoji_with_markup_beside_it_too() -> None:
    Console(file=(printed := io.StringIO()), width=80).print("[bold]rule[/] :smile:")
    assert printed.getvalue() == "rule :smile:\n"
