"""Every example in a docstring holds, whatever module has it."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("counterpoise", "streams", "ingest", "alerts", "desk", "engines", "bench", "scripts", "testkit", "tests")
EXTENSIONS = ROOT / "tests" / "extend" / "examples"
"""They work once they are applied to a copy."""


def with_examples(root: Path) -> list[str]:
    """The modules below these folders that have an example, by name."""
    files = [file for folder in FOLDERS for file in (root / folder).rglob("*.py")]
    found = [
        file.relative_to(root).with_suffix("").parts
        for file in files
        if EXTENSIONS not in file.parents and "\n    >>> " in file.read_text(encoding="utf-8")
    ]
    return sorted(".".join(parts[: -1 if parts[-1] == "__init__" else None]) for parts in found)


@pytest.mark.parametrize("name", with_examples(ROOT))
def test_examples(name: str) -> None:
    done = doctest.testmod(import_module(name))
    assert done.attempted > 0
    assert done.failed == 0


def test_a_module_is_found_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "desk" / "web").mkdir(parents=True)
    (tmp_path / "desk" / "web" / "__init__.py").write_text('def f():\n    """Once.\n\n    >>> f()\n    """\n')
    (tmp_path / "desk" / "plain.py").write_text("x = 1\n")
    assert with_examples(tmp_path) == ["desk.web"]
