"""The files of another commit, to run the same benchmark there."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The files of a commit, for the length of the block."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", tree, commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", tree], check=True)


def with_benchmark(tree: Path, name: str) -> None:
    """Make `python -m bench.NAME --json` runnable in a tree.

    Its own benchmark runs where it writes JSON: modules may have had other names then. Else today's is copied, for commits before it.
    """
    own = tree / "bench" / f"{name}.py"
    if not own.exists() or '"--json"' not in own.read_text(encoding="utf-8"):
        shutil.copytree(ROOT / "bench", tree / "bench", dirs_exist_ok=True)
