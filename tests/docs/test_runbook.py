"""Every symptom of the runbook is provoked by a test, which compares the page's text with what is printed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runbook import parse, symptoms

TESTS = Path(__file__).resolve().parents[1]


def calls() -> Iterator[tuple[str, str]]:
    """(test, words) for each call of `assert_shown` in a test."""
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "assert_shown(" not in text or path == Path(__file__):
            continue
        for function in ast.parse(text).body:
            if not isinstance(function, ast.FunctionDef) or not function.name.startswith("test_"):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "assert_shown":
                    words = node.args[0]
                    assert isinstance(words, ast.Constant) and isinstance(words.value, str), f"{path}: name the symptom"
                    yield f"{path.relative_to(TESTS)}::{function.name}", words.value


CALLS = list(calls())


@pytest.mark.parametrize("heading", [one.heading for one in symptoms()])
def test_each_symptom_is_provoked_by_a_test(heading: str) -> None:
    assert [test for test, words in CALLS if words in heading], f"no test calls assert_shown for {heading!r}"


@pytest.mark.parametrize(("test", "words"), CALLS, ids=[f"{test}-{words}" for test, words in CALLS])
def test_each_call_names_one_symptom(test: str, words: str) -> None:
    assert len([one for one in symptoms() if words in one.heading]) == 1, f"{test}: {words!r}"


@pytest.mark.parametrize("one", symptoms(), ids=lambda one: one.heading)
def test_each_symptom_shows_a_text_that_is_more_than_a_word(one: object) -> None:
    [found] = [each for each in symptoms() if each == one]
    assert found.shown, "write what is printed after `Shown: `, or into the heading"
    assert all(len(text.replace("…", "").strip()) >= 6 for text in found.shown), found.shown


def test_the_symptoms_are_read_from_the_page() -> None:
    page = (
        "# R\n\n**Not this.** x\n\n## Incidents\n\n**`a b … c`.** Shown: `ignored\n… not`, or `d e f`. More `code`.\n\n"
        "**`status` shows it.** Shown: `one … two`.\n\n## After\n\n**Nor this.** `y`\n"
    )
    first, second = parse(page)
    assert (first.heading, first.shown) == ("a b … c", ("a b … c", "ignored … not", "d e f"))
    assert (second.heading, second.shown) == ("status shows it", ("one … two",))
    assert first.is_in("so:  a b\n   and then c, ignored, not, d e f") and not first.is_in("a b c, d e f")
    assert second.is_in("one two") and not second.is_in("two one")
