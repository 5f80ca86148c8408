"""The files of another commit, to run the same benchmark there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
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


def by_turns(name: str, commit: str, rounds: int, options: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Runs of `python -m bench.NAME` at this commit and at another one: ("now" or the commit, what it printed), the sides by turns.

    With `--json` among the options see `with_benchmark`; else each runs its own. CalledProcessError where one fails.
    """
    with tree_of(commit) as tree:
        if "--json" in options:
            with_benchmark(tree, name)
        trees = {"now": ROOT, commit: tree}
        for number in range(rounds):
            for side in list(trees) if number % 2 else list(trees)[::-1]:
                sys.stderr.write(f"round {number + 1} of {rounds}: {side}\n")
                ran = subprocess.run(
                    [sys.executable, "-m", f"bench.{name}", *options],
                    cwd=trees[side],
                    env=os.environ | {"PYTHONPATH": str(trees[side])},
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                yield side, ran.stdout
