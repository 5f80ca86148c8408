"""Check the prose rules: sentence length and the phrases of docs/prose-phrases.txt. Exit code 1 where one is broken.

    python scripts/prose.py             # the Markdown pages, the command help, and the texts in the Python files
    python scripts/prose.py FILE ...    # these files only

A text is a paragraph, a bullet, a heading or a table cell of a Markdown page. In a Python file it is a docstring, a help text or a
message. Code blocks, HTML comments and URLs are skipped. A code span counts as one word, and its content is not searched for phrases.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PHRASES = ROOT / "docs" / "prose-phrases.txt"
MOST_WORDS = 25

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md")
HELP_FOLDERS = ("desk/cli",)
"""Here docstrings are command help: they are checked for length too."""
PYTHON_FOLDERS = ("desk", "engines", "counterpoise", "alerts")
MESSAGE_FOLDERS = ("ingest", "streams")
"""Here only messages are checked, not docstrings."""
EXEMPT_FOLDERS = ("counterpoise/metrics", "counterpoise/clickhouse", "counterpoise/chain")

CODE = "CODE"
"""Stands for a code span or a value that is formatted into a message. One word."""

_END = re.compile(r"(?<=[.!?])([\"')\]*_”’]*)\s+(?=[\"'(\[*_“‘]*[A-Z0-9])")
_NO_END = re.compile(r"(?:\b(?:e\.g|i\.e|vs|No|cf|St|approx)\.|^\d+\.)$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_CODE_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_HTML = re.compile(r"<!--.*?-->|</?[a-zA-Z][^>]*>", re.DOTALL)
_AUTOLINK = re.compile(r"<https?://[^>]*>|\bhttps?://\S+")
_BULLET = re.compile(r"^(\s*)(?:[-*+]|\d+[.)])\s+(?=\S)")
_SQL = re.compile(
    r"^\s*(?:CODE)?(?:SELECT|INSERT|CREATE|ALTER|WITH|DROP|SHOW|SET|SYSTEM|DESCRIBE|EXPLAIN|FROM|WHERE|AND)\b"
)


@dataclass(frozen=True, order=True)
class Text:
    """A piece of prose, the number of its first line, and whether the words of its sentences are counted."""

    line: int
    body: str
    heading: bool = False
    counted: bool = True


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    advice: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.advice}\n    {self.sentence}"


@dataclass(frozen=True)
class Phrase:
    """A pattern that the prose avoids, and what to write instead. A pattern that starts with `# ` matches headings only."""

    pattern: re.Pattern[str]
    advice: str


def phrases(text: str) -> list[Phrase]:
    """Phrases of a list: `pattern => advice` in each line; empty lines and lines that start with `//` are skipped.

    Raises ValueError for a line without advice, or with a pattern that does not compile.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("//"):
            continue
        pattern, arrow, advice = line.partition(" => ")
        if not arrow or not advice.strip():
            raise ValueError(f"line {number}: expected `pattern => advice`, found {line!r}")
        try:
            found.append(Phrase(re.compile(pattern.strip(), re.IGNORECASE), advice.strip()))
        except re.error as error:
            raise ValueError(f"line {number}: the pattern does not compile: {error}") from None
    return found


def plain(markdown: str) -> str:
    """The words of a Markdown text: code spans become CODE, links their text, tags and emphasis nothing."""
    text = _CODE_SPAN.sub(CODE, markdown)
    text = _AUTOLINK.sub(CODE, text)
    text = _LINK.sub(r"\1", text)
    text = _HTML.sub("", text)
    text = text.replace("**", "").replace("\\|", "|")
    return " ".join(text.split())


def sentences(text: str) -> list[str]:
    """Sentences of a plain text. One ends at `.`, `!` or `?` before a space and a capital letter, a digit or a quote."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if _NO_END.search(text[start : match.start()]):
            continue
        found.append(text[start : match.end(1)].strip())
        start = match.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def words(sentence: str) -> int:
    """Number of parts between spaces with a letter or a digit. `70 %` is one word, a lone dash is none."""
    return sum(any(char.isalnum() for char in word) for word in sentence.split())


def markdown_texts(page: str) -> Iterator[Text]:
    """Paragraphs, bullets, headings and table cells of a page, each with the number of its first line."""
    lines = page.splitlines()
    block: list[str] = []
    start = 0
    fence = ""
    comment = False
    indented = False
    list_indent = 0

    def flush() -> Iterator[Text]:
        if block:
            yield Text(start, plain("\n".join(block)))
            block.clear()

    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if fence:
            if stripped.startswith(fence):
                fence = ""
            continue
        if comment:
            comment = "-->" not in line
            continue
        if stripped.startswith(("```", "~~~")):
            yield from flush()
            fence = stripped[:3]
            continue
        if stripped.startswith("<!--") and "-->" not in line:
            yield from flush()
            comment = True
            continue
        if not stripped:
            yield from flush()
            continue
        blank_before = number == 1 or not lines[number - 2].strip()
        if (
            line.startswith(" " * (list_indent + 4))
            and not block
            and (blank_before or indented)
            and not _BULLET.match(line)
        ):
            indented = True
            continue
        indented = False
        if re.match(r"#{1,6} ", stripped):
            yield from flush()
            list_indent = 0
            yield Text(number, plain(stripped.lstrip("#")), heading=True)
        elif stripped.startswith("|"):
            yield from flush()
            covered = _CODE_SPAN.sub(lambda match: CODE, stripped)
            if not re.fullmatch(r"[|\s:-]+", stripped):
                for cell in re.split(r"(?<!\\)\|", covered)[1:-1]:
                    if cell.strip():
                        yield Text(number, plain(cell))
        else:
            bullet = _BULLET.match(line)
            if bullet:
                yield from flush()
                list_indent = bullet.end()
                line = line[bullet.end() :]  # noqa: PLW2901
            elif not line.startswith(" ") and not block:
                list_indent = 0
            if not block:
                start = number
            block.append(line)
    yield from flush()


def python_texts(source: str, *, is_help: bool, docstrings_too: bool = True) -> Iterator[Text]:
    """Docstrings and messages of a Python file. The words of a docstring are counted if it is command help.

    A message is a string of at least four words that is not SQL. Values inside an f-string become CODE.
    """
    tree = ast.parse(source)
    docstrings: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for statement in body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                value = statement.value
                if isinstance(value.value, str):
                    docstrings.add(id(value))
                    counted = is_help and isinstance(node, ast.FunctionDef) and _is_command(node)
                    if docstrings_too:
                        yield from _docstring_texts(value.value, value.lineno, counted=counted)
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside.update(id(part) for part in node.values)
    for node in ast.walk(tree):
        if id(node) in docstrings or id(node) in inside:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else CODE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if text.count(" ") >= 3 and not _SQL.match(text) and "<" not in text:
            for paragraph in text.split("\n"):
                yield Text(node.lineno, plain(paragraph))


def _is_command(function: ast.FunctionDef) -> bool:
    """Whether a decorator registers the function as a command, or its name is public."""
    return bool(function.decorator_list) or not function.name.startswith("_")


def _docstring_texts(docstring: str, line: int, *, counted: bool) -> Iterator[Text]:
    lines = docstring.expandtabs().splitlines()
    indents = [len(each) - len(each.lstrip()) for each in lines[1:] if each.strip()]
    margin = min(indents, default=0)
    page = "\n".join([lines[0].lstrip(), *(each[margin:] for each in lines[1:])]) if lines else ""
    for text in markdown_texts(page):
        if not text.body.startswith(">>>"):
            yield Text(line + text.line - 1, text.body, text.heading, counted)


def findings(path: str, texts: Iterable[Text], avoided: list[Phrase]) -> list[Finding]:
    """Findings in the texts of one file, in the order of its lines."""
    found = []
    for text in texts:
        for sentence in sentences(text.body):
            searched = f"# {sentence}" if text.heading else sentence
            for phrase in avoided:
                match = phrase.pattern.search(searched)
                if match:
                    found.append(Finding(path, text.line, f"'{match[0].strip()}': {phrase.advice}", sentence))
            count = words(sentence)
            if text.counted and count > MOST_WORDS:
                found.append(Finding(path, text.line, f"{count} words: at most {MOST_WORDS} in a sentence", sentence))
    return sorted(found, key=lambda each: each.line)


def check(path: Path, avoided: list[Phrase], root: Path = ROOT) -> list[Finding]:
    """Findings of one file, by its ending: `.py` or Markdown."""
    name = path.resolve().relative_to(root).as_posix()
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        is_help = name.startswith(tuple(f"{folder}/" for folder in HELP_FOLDERS))
        docstrings_too = not name.startswith(tuple(f"{folder}/" for folder in MESSAGE_FOLDERS))
        return findings(name, python_texts(text, is_help=is_help, docstrings_too=docstrings_too), avoided)
    return findings(name, markdown_texts(text), avoided)


def files(root: Path = ROOT) -> list[Path]:
    """Every file that is checked."""
    pages = [path for pattern in PAGES for path in sorted(root.glob(pattern))]
    modules = [
        path
        for folder in (*PYTHON_FOLDERS, *MESSAGE_FOLDERS)
        for path in sorted((root / folder).rglob("*.py"))
        if not path.relative_to(root).as_posix().startswith(tuple(f"{exempt}/" for exempt in EXEMPT_FOLDERS))
    ]
    return [*pages, *modules]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check sentence length and phrases of the docs, help and messages.")
    parser.add_argument("files", nargs="*", type=Path, help="check these files only")
    options = parser.parse_args(arguments)
    avoided = phrases(PHRASES.read_text(encoding="utf-8"))
    found = [finding for path in options.files or files() for finding in check(path, avoided)]
    for finding in found:
        sys.stdout.write(f"{finding}\n")
    if found:
        sys.stderr.write(f"prose: {len(found)} findings; docs/prose-phrases.txt lists the phrases\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
