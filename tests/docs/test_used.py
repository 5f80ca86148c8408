"""What a module of the product defines, the product uses: a function that only tests call is an oracle, and belongs to tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("counterpoise", "streams", "ingest", "alerts", "desk", "engines", "sql")
USERS = (*PRODUCT, "bench", "scripts", "testkit")
_WORDS = re.compile(r"[A-Za-z_]\w*")


def unused(product: Mapping[str, str], users: Iterable[str]) -> list[str]:
    """`path: name` of each public function and class of `product` (sources by path) that no source of `users` names outside of it."""
    named: dict[str, int] = {}
    for source in users:
        for name in _names(ast.parse(source)):
            named[name] = named.get(name, 0) + 1
    found = []
    for path, source in product.items():
        for node in ast.parse(source).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            is_registered = bool(node.decorator_list) and not isinstance(node, ast.ClassDef)
            own = sum(name == node.name for name in _names(node))
            if not node.name.startswith("_") and not is_registered and named.get(node.name, 0) <= own:
                found.append(f"{path}: {node.name}")
    return found


def _names(tree: ast.AST) -> Iterable[str]:
    """Each use of a name; imports are none. A text that is a single name or path of names (a registry's line) counts too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield from _WORDS.findall(node.value)


def test_what_only_tests_call_is_no_product_code() -> None:
    def sources(folders: Iterable[str]) -> dict[str, str]:
        return {
            str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
            for folder in folders
            for file in sorted((ROOT / folder).rglob("*.py"))
        }

    assert unused(sources(PRODUCT), sources(USERS).values()) == []


def test_the_check_finds_what_nobody_calls_and_what_only_calls_itself() -> None:
    product = {
        "a.py": "def used(): pass\ndef alone(): pass\ndef again(n): return again(n - 1)\nclass Named: pass\ndef _own(): pass\n"
        "@app.get('/')\ndef page(): pass\n",
        "b.py": "from a import alone, used\nused()\nREGISTRY = {'x': 'a:Named'}\n",
    }
    assert unused(product, product.values()) == ["a.py: alone", "a.py: again"]
