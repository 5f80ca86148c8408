"""The reference data that stands beside a checkout; a test that needs it says so in one line and skips where it is absent."""

from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data(name: str) -> Path:
    """Return the path of one reference file, or skip the calling test when the folder is not beside the checkout."""
    path = _ROOT / name
    if not path.exists():
        pytest.skip(f"needs the reference data ../shared/data/{name}, which is not beside this checkout")
    return path
