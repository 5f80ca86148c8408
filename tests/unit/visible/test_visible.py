"""Text from outside over all of Unicode, and every edge where it leaves us: terminal, log, Slack, HTML, CSV, JSON."""

import csv
import io
import json
import logging
import random
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import structlog
from rich.table import Table
from rich.text import Text

from alerts.outbox.receivers.console_receiver import ConsoleReceiver
from alerts.outbox.render import Message, escape
from counterpoise.plots.marks import text_of
from counterpoise.runtime.logs import configure_logging
from counterpoise.visible import spreadsheet_cell, visible
from desk.cli.console import Console, cell
from desk.cli.result_formats import Format, write_result
from desk.cli.root import main
from desk.cli.say import say
from desk.supervise.child import Child, Service
from tests.waiting import wait_for

ACTING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
HOSTILE = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x9b31m",
    "a\rb",
    "a\x08b",
    "\x00",
    "\x7f",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u200b",
    "\ufeff",
    "\u2028",
    "\u2029",
    "\ud800",
    "\U000e0001",
    "\u00ad",
    "a\nb",
    "\x0b",
    "\x0c",
    "\x85",
]


def acts(text: str, keep: str = "\n") -> list[str]:
    return [char for char in text if unicodedata.category(char) in ACTING and char not in keep]


def test_every_character_is_shown_or_its_escape() -> None:
    acting: list[str] = []
    plain: list[str] = []
    for char in map(chr, range(sys.maxunicode + 1)):
        (acting if unicodedata.category(char) in ACTING else plain).append(char)
    assert visible("".join(plain)) == "".join(plain)
    assert all(visible(char) == char for char in plain if not char.isprintable())
    escapes = visible("\0".join(acting), keep="\0").split("\0")
    assert visible("\0") == "\\u0000"
    assert escapes.pop(0) == escapes.pop(0) == ""  # before and behind the one that is kept
    assert re.fullmatch(r"((\\u[0-9a-f]{4}){1,2},)+", ",".join(escapes) + ",")
    assert json.loads('["' + '","'.join(escapes) + '"]') == acting[1:]


def test_texts_of_any_characters() -> None:
    draw = random.Random(8)
    for _ in range(600):
        text = "".join(chr(draw.choice((draw.randrange(0x250), draw.randrange(0x110000)))) for _ in range(20))
        shown = visible(text)
        assert acts(shown, "") == []
        assert visible(shown) == shown
        assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == json.loads(json.dumps(text))
        kept = visible(text, keep="\n\t")
        assert acts(kept, "\n\t") == []
        assert (kept.count("\n"), kept.count("\t")) == (text.count("\n"), text.count("\t"))


STARTS = ["=", "+", "-", "@", "\t=", "\r=", "\n=", " =", "\u00a0=", "＝", "－", "＋", "＠", "=\x1b"]


@pytest.mark.parametrize("start", STARTS)
def test_no_text_is_a_formula(start: str) -> None:
    shown = spreadsheet_cell(f"{start}cmd|' /C calc'!A0")
    assert shown == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize("text", ["-1", "+1.5", "-4.2e-3", "-.5", "antpool", "", "a=b", "'=1", "1-2", "2026-04-02"])
def test_numbers_and_plain_texts_stay(text: str) -> None:
    assert spreadsheet_cell(text) == text


@pytest.mark.parametrize("text", ["-1+cmd", "-", "+1-1", "-1e", "-٣", "--1"])
def test_what_only_begins_like_a_number_is_a_formula(text: str) -> None:
    assert spreadsheet_cell(text) == f"'{text}"


def rich_text(text: str) -> str:
    return _printed(lambda console: console.print(Text(text)))


def rich_markup(text: str) -> str:
    return _printed(lambda console: console.print(text.replace("[", "\\["), style="red"))


def rich_table(text: str) -> str:
    table = Table(title=text.replace("[", "\\["))
    table.add_column(Text(text))
    table.add_row(cell(text))
    table.add_row(Text(text))
    return _printed(lambda console: console.print(table))


def _printed(act: Callable[[Console], object]) -> str:
    stream = io.StringIO()
    act(Console(file=stream, width=120, force_terminal=False))
    return stream.getvalue()


def slack(text: str) -> str:
    return escape(text)


def html(text: str) -> str:
    return text_of(text)


def console_receiver(text: str) -> str:
    stream = io.StringIO()
    ConsoleReceiver(stream).post(Message("", (), text), "key", thread=None)
    return stream.getvalue()


def log_line(text: str, kind: Literal["text", "json"]) -> str:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging(kind, "info", service="ingest", stream=stream)
        structlog.get_logger("test").info(text, owner=text, nested={"deep": [text]})
        logging.getLogger("faust").error("from %s", text)
        try:
            raise RuntimeError(text)
        except RuntimeError:
            structlog.get_logger("test").exception("failed", why=text)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()
    return stream.getvalue()


def result(output: Format, *, raw_csv: bool = False) -> Callable[[str], str]:
    def write(text: str) -> str:
        stream = io.StringIO()
        before, sys.stdout = sys.stdout, stream
        try:
            blocks = iter([([(text, "String"), ("n", "Int64")], [[text], [-1]])])
            write_result(blocks, output, None, None, raw_csv=raw_csv)
        finally:
            sys.stdout = before
        return stream.getvalue()

    return write


EDGES: dict[str, Callable[[str], str]] = {
    "rich text": rich_text,
    "rich markup": rich_markup,
    "rich table": rich_table,
    "slack": slack,
    "html": html,
    "console receiver": console_receiver,
    "text log": lambda text: log_line(text, "text"),
    "json log": lambda text: log_line(text, "json"),
    **{str(output): result(output) for output in Format if output is not Format.PARQUET},
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nothing_acts_beyond_an_edge(edge: str, text: str) -> None:
    assert acts(EDGES[edge](f"a{text}b")) == []


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_line_of_a_log_cannot_be_forged(text: str) -> None:
    for line in log_line(f"a{text}b", "json").splitlines():
        json.loads(line)
    first = log_line(f"a{text}b", "text").split("\n")[0]
    assert first.count("nested") == 1


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_json_keeps_the_value(text: str) -> None:
    assert json.loads(result(Format.JSON)(text)) == [{text: text, "n": -1}]
    assert json.loads(result(Format.JSONL)(text)) == {text: text, "n": -1}


@pytest.mark.parametrize("start", STARTS)
def test_csv_is_safe_for_a_spreadsheet_and_exact_for_a_program(start: str) -> None:
    text = f"{start}1+1"
    for row in csv.reader(io.StringIO(result(Format.CSV)(text), newline="")):
        assert not row[0].lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
    [_, [raw, number]] = csv.reader(io.StringIO(result(Format.CSV, raw_csv=True)(text), newline=""))
    assert (raw, number) == (text, "-1")


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\0" not in text and text.isascii()], ids=ascii)
def test_a_hostile_file_name_reaches_the_terminal_visibly(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERPOISE_STATE_DIR", str(tmp_path / "state"))
    name = str(tmp_path / f"a{text}b")
    for arguments in (
        ["replay", "--blocks", name],
        ["pools", "check", name],
        ["alerts", "rules", name],
        ["market", "check", name],
        ["--config", name, "status"],
        [name],
        ["status", name],
        [f"--{text}"],
    ):
        assert main(arguments) == 2, arguments
        out, err = capsys.readouterr()
        assert acts(out + err) == [], arguments
        say(name)
        assert acts(capsys.readouterr().out) == []


def test_what_a_service_prints_reaches_the_terminal_visibly() -> None:
    lines: list[str] = []
    code = "import sys; sys.stdout.buffer.write(b'a\\x1b[2Jb\\xe2\\x80\\xae\\xff\\n')"
    child = Child(Service("child", (sys.executable, "-c", code)), lines.append)
    child.pass_output_on()
    wait_for(lambda: child.poll() is not None, "the end of the child")
    assert lines == ["a\\u001b[2Jb\\u202e\ufffd"]


def test_commands_print_only_through_the_two_ways() -> None:
    """`say` and `Console` are where text is made visible; nothing else in a command writes to the terminal."""
    direct = re.compile(r"typer\.s?echo\(|(?<![\w.])print\(|from rich.console import .*\bConsole\b|import rich.console")
    for path in (Path(__file__).parents[3] / "desk").rglob("*.py"):
        if path.name not in {"say.py", "console.py"}:
            assert not direct.search(path.read_text()), path
