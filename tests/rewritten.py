"""Workers of xdist compile the test files of a new checkout together, each a share, and not all of them each.

pytest writes the asserts of a test file anew and keeps the result beside it. Workers begin at once, so each would do that for all.
"""

from __future__ import annotations

from pathlib import Path

import pytest


def rewrite_share(config: pytest.Config) -> None:
    """Write what is missing of this worker's share of the test files; the others write theirs meanwhile."""
    if not (given := getattr(config, "workerinput", None)):
        return
    try:
        from _pytest.assertion.rewrite import (
            PYC_TAIL,
            _read_pyc,
            _rewrite_test,
            _write_pyc,
            assertstate_key,
            get_cache_dir,
        )
    except ImportError:  # a pytest that keeps them otherwise: each worker compiles all
        return
    roots = (Path(argument.partition("::")[0]) for argument in config.args)
    found = sorted((path.stat().st_size, path) for root in roots for path in root.rglob("test_*.py"))
    for _, path in found[int(given["workerid"].removeprefix("gw")) :: int(given["workercount"])]:
        kept = get_cache_dir(path) / f"{path.name[:-3]}{PYC_TAIL}"
        if _read_pyc(path, kept) is None:
            source, code = _rewrite_test(path, config)
            kept.parent.mkdir(parents=True, exist_ok=True)
            _write_pyc(config.stash[assertstate_key], code, source, kept)
