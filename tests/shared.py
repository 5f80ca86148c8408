"""The reference data that stands beside a checkout. Without it, what needs it skips, in one line of the summary."""

from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
_ABSENT: Final = "the reference data ../shared/data is not beside this checkout"
"""The same text for every file: pytest folds skips of one place and one reason into one line with their number."""


def shared_data(name: str) -> Path:
    """Return the path of one reference file, or skip the calling test when it is absent."""
    path = _ROOT / name
    if not path.exists():
        pytest.skip(_ABSENT)
    return path
