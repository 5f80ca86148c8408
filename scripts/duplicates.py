"""Find six or more lines of Python that stand twice in the product: `python scripts/duplicates.py [FOLDER…]`.

Compared are lines of code, however they are laid out: without comments, docstrings, imports and spaces, without lines that name
nothing (brackets, texts in a list), and with the head of a function as one line. A run that repeats itself is a list of entries.
Tests are left out: what a test says should stand in the test. Exit code 1 names every place.
"""

from __future__ import annotations

import ast
import io
import keyword
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("counterpoise", "ingest", "streams", "alerts", "desk", "engines", "testkit", "bench", "scripts")
LINES = 6

_LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> list[tuple[int, str]]:
    """(number, text) of each line that says something."""
    tree = ast.parse(source)
    left_out: set[int] = set()
    head: dict[int, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        ):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            head |= dict.fromkeys(range(node.lineno, max(node.lineno + 1, node.body[0].lineno)), node.lineno)
    lines: defaultdict[int, list[str]] = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        number = token.start[0]
        if token.type not in _LAYOUT and number not in left_out:
            lines[head.get(number, number)].append(token.string)
    return [(number, " ".join(words)) for number, words in sorted(lines.items()) if any(map(_is_name, words))]


def _is_name(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def duplicates(sources: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line for each run of lines that stands in several places, at its full length, of (name, text) of each file."""
    texts = {name: code_lines(source) for name, source in sources}
    places: defaultdict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for name, lines in texts.items():
        for at in range(len(lines) - LINES + 1):
            places[tuple(text for _, text in lines[at : at + LINES])].append((name, at))
    for run, same in places.items():
        if len(same) > 1 and len(set(run)) >= LINES - 1 and not _continues(same, texts):
            length = LINES
            while len({_text(texts, name, at + length) for name, at in same}) == 1 and _text(
                texts, same[0][0], same[0][1] + length
            ):
                length += 1
            yield f"{' = '.join(f'{name}:{texts[name][at][0]}' for name, at in same)}: {length} lines"


def _continues(same: list[tuple[str, int]], texts: dict[str, list[tuple[int, str]]]) -> bool:
    """Whether the line before is the same too, so that the run was named already."""
    return len(before := {_text(texts, name, at - 1) for name, at in same}) == 1 and before != {""}


def _text(texts: dict[str, list[tuple[int, str]]], name: str, at: int) -> str:
    return texts[name][at][1] if 0 <= at < len(texts[name]) else ""


def main(folders: Iterable[str]) -> int:
    """Print what stands twice; how many there are decides the exit code."""
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    found = list(duplicates((file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files))
    for line in found:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{len(files)} files, {len(found)} runs of {LINES} or more lines stand twice\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or FOLDERS))
