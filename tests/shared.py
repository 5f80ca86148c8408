"""The reference data that stands beside a checkout. Without it, what needs it skips, in one line of the summary."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
_CASES: Final = _ROOT.parent / "cases"
_ABSENT: Final = "the reference data ../shared/data is not beside this checkout"
"""The same text for every file."""


def shared_data(name: str) -> Path:
    """Return the path of one reference file, or skip the calling test when it is absent; the whole file where a module asks for it."""
    path = _ROOT / name
    if not path.exists():
        pytest.skip(_ABSENT, allow_module_level=True)
    return path


def shared_cases(name: str) -> Path:
    """Return the folder of inputs of one kind that people met; skips as `shared_data` does."""
    path = _CASES / name
    if not path.is_dir():
        pytest.skip(_ABSENT, allow_module_level=True)
    return path


def fold_skips(reports: Iterable[pytest.TestReport]) -> None:
    """Give those that skip for want of this data one place: pytest then says it in one line, with their number.

    By itself it names the test that asked first for a fixture that several share.
    """
    for report in reports:
        if isinstance(report.longrepr, tuple) and report.longrepr[2].endswith(_ABSENT):
            report.longrepr = (__file__, None, report.longrepr[2])  # type: ignore[assignment]  # pytest takes a place without a line
