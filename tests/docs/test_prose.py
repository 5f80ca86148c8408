"""scripts/prose.py finds long sentences and avoided phrases, and nothing else."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prose_script", ROOT / "scripts" / "prose.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks up its module
    spec.loader.exec_module(module)
    return module


prose = load()
LIST = (ROOT / "docs" / "prose-phrases.txt").read_text(encoding="utf-8")
AVOIDED = prose.phrases(LIST)


def texts(page: str) -> list[tuple[int, str]]:
    return [(text.line, text.body) for text in prose.markdown_texts(page)]


def found(page: str) -> list[str]:
    return [finding.advice for finding in prose.findings("page.md", prose.markdown_texts(page), AVOIDED)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", ["One.", "Two."]),
        ("It costs 0.5 s. CODE runs.", ["It costs 0.5 s.", "CODE runs."]),
        ("See e.g. Bitcoin. Then stop!", ["See e.g. Bitcoin.", "Then stop!"]),
        ("A list: one; two. 16 blocks follow.", ["A list: one; two.", "16 blocks follow."]),
        ('It prints "Stop." Then more.', ['It prints "Stop."', "Then more."]),
        ("No capital. follows", ["No capital. follows"]),
        ("", []),
    ],
)
def test_sentences_end_at_a_stop_before_a_capital_or_a_digit(text: str, expected: list[str]) -> None:
    assert prose.sentences(text) == expected


@pytest.mark.parametrize(
    ("sentence", "count"),
    [("A share of 70 % is – accurate.", 6), ("CODE, CODE and 1,008 blocks", 5), ("—", 0), ("", 0)],
)
def test_words_have_a_letter_or_a_digit(sentence: str, count: int) -> None:
    assert prose.words(sentence) == count


@given(
    st.lists(
        st.sampled_from(["block", "share", "`two words`", "[three](docs/a b.md)", "75 %"]), min_size=1, max_size=60
    )
)
def test_a_sentence_is_too_long_from_26_words_on(parts: list[str]) -> None:
    page = "Start " + " ".join(parts) + "."
    length = 1 + len(parts)
    assert [advice for advice in found(page) if "words" in advice] == (
        [f"{length} words: at most 25 in a sentence"] if length > 25 else []
    )


@given(st.integers(0, 40), st.sampled_from(["", "- ", "1. ", "> "]), st.integers(1, 5))
def test_a_long_sentence_is_found_on_the_first_line_of_its_paragraph(above: int, mark: str, per_line: int) -> None:
    words = ["Word"] + ["word"] * 30
    lines = [" ".join(words[at : at + per_line]) for at in range(0, len(words), per_line)]
    page = "Fine.\n\n" * above + mark + "\n".join(lines) + ".\n"
    (finding,) = prose.findings("page.md", prose.markdown_texts(page), AVOIDED)
    assert finding.line == 2 * above + 1


LONG = " ".join(["told"] * 30)


@pytest.mark.parametrize(
    "page",
    [
        f"```text\n{LONG}\n```\n",
        f"~~~\n{LONG}\n~~~\n",
        f"Run:\n\n    {LONG}\n    {LONG}\n\n    {LONG}\n",
        f"1. Run:\n\n       {LONG}\n",
        f"<!-- {LONG}\n{LONG} -->\n",
        f"Run `{LONG}` now.",
        f"[Page](https://example.org/{'told-' * 30})",
        f"| a |\n|---|\n| `{LONG} \\| x` |\n",
    ],
)
def test_code_comments_and_urls_are_skipped(page: str) -> None:
    assert found(page) == []


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            "# Title\n\nOne\ntwo.\n\n- Three\n  four\n- Five\n",
            [(1, "Title"), (3, "One two."), (6, "Three four"), (8, "Five")],
        ),
        ("| a | b c |\n|---|---|\n| d | `e` f |\n", [(1, "a"), (1, "b c"), (3, "d"), (3, "CODE f")]),
        ("**Bold** [link](x.md) and ![picture](y.svg)", [(1, "Bold link and picture")]),
        ("1. One:\n\n       code\n\n   Two.\n", [(1, "One:"), (5, "Two.")]),
        ("```\ncode\n```\nAfter.\n", [(4, "After.")]),
    ],
)
def test_texts_of_a_page_have_their_line(page: str, expected: list[tuple[int, str]]) -> None:
    assert texts(page) == expected


# The examples of the house style: what was written, and what is written now.
BEFORE = [
    "The first run installs for a minute or two, the demo takes about another.",
    "a week of blocks knows a share of 70 % to within 3 points",
    "which side is the more concentrated is no call as in every year since 2022",
    "It ends with the commands that ask its data more",
    "They are of nobody knows how many hands",
    "So how often does the interval hold the index of the hashrate?",
    "# Ask again in SQL",
    "# Who they are",
    "# What is told, and when",
    "Blocks are never withheld.",
    "Mend the file and put it down again.",
    "One message a transition is sent, at most one a second.",
    "The release is withdrawn, for good.",
    "It is retried as often as it takes.",
    "Columns are written by our own hand.",
    "Of equals the first wins.",
    "Missing is not zero.",
]
AFTER = [
    "The first run takes 1–2 minutes to install and one minute to run.",
    "In a terminal the view is live. Final output:",
    "With a week of blocks, a 70 % share is accurate to ±3 points.",
    "The data do not show which side is more concentrated, as in every year since 2022.",
    "It ends with commands for exploring the data.",
    "We do not know how many producers they represent.",
    "Actual coverage of the nominal 95 % interval:",
    "# Show SQL",
    "# Largest pools",
    "# Notifications",
    "It repeats once a week, within a minute, for half a day.",
    "144 blocks are a day only on average.",
    "Of course, the API calls are counted.",
]


@pytest.mark.parametrize("text", BEFORE)
def test_an_avoided_phrase_is_found(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize("text", AFTER)
def test_plain_english_passes(text: str) -> None:
    assert found(text) == []


def test_phrases_are_found_in_any_case_and_over_a_line_break() -> None:
    assert len(found("What was Told.")) == len(found("What was told.")) == 1
    assert found("It is withdrawn for\ngood.") != []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("told", "line 1: expected `pattern => advice`"),
        ("told => ", "line 1: expected `pattern => advice`"),
        ("(told => write sent", "line 1: the pattern does not compile"),
    ],
)
def test_a_mistake_in_the_list_is_refused(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        prose.phrases(line)


SOURCE = '''"""Module that was told."""

import typer

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " \\
    "eighteen nineteen twenty and 21 and 22 and 23"
SQL = "SELECT a FROM told WHERE b = 1 AND held = 2"


def command() -> None:
    """Help text.

    A second paragraph.
    """
    typer.echo(f"{LONG} is held by {SQL} here")
'''


def test_docstrings_and_messages_of_python_files_are_texts() -> None:
    found_texts = prose.python_texts(SOURCE, is_help=True)
    findings = [
        (finding.line, finding.advice.partition(":")[0]) for finding in prose.findings("a.py", found_texts, AVOIDED)
    ]
    assert findings == [(1, "'told'"), (5, "26 words"), (15, "'held'")]


def test_docstrings_can_be_left_out() -> None:
    found_texts = prose.python_texts(SOURCE, is_help=False, docstrings_too=False)
    assert [finding.line for finding in prose.findings("a.py", found_texts, AVOIDED)] == [5, 15]


def test_words_of_a_docstring_are_counted_only_in_help() -> None:
    source = f'def command() -> None:\n    """{"word " * 30}."""\n'
    assert [text.counted for text in prose.python_texts(source, is_help=False)] == [False]
    assert [text.counted for text in prose.python_texts(source, is_help=True)] == [True]


def test_the_exit_code_names_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text("Fine.\n", encoding="utf-8")
    bad.write_text("Fine.\n\nIt is told.\n", encoding="utf-8")
    assert prose.check(good, AVOIDED, tmp_path) == []
    (finding,) = prose.check(bad, AVOIDED, tmp_path)
    assert str(finding).startswith("bad.md:3: 'told': ")
    page = ROOT / "README.md"
    assert prose.main([str(page)]) == 0
    assert capsys.readouterr().out == ""


def test_every_kind_of_file_is_checked() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in prose.files()}
    assert {
        "README.md",
        "CHANGELOG.md",
        "docs/alerts.md",
        "desk/cli/root.py",
        "counterpoise/settings/model.py",
    } <= names
    assert any(name.startswith("docs/decisions/") for name in names)
    assert "docs/tables.md" in names
