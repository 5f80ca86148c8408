"""Each client does each step as each user, against the embedded server, and gets the right answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.conftest import COLUMNS, TEXT
from tests.clients.programs import PROGRAMS, STEPS

Steps = dict[str, dict[str, Any]]

TYPED = {
    "i8": -1,
    "u64": "18446744073709551615",
    "f64": 0.1,
    "dec": "1.25",
    "day": "2026-01-02",
    "dt": "2026-01-02T03:04:05.678",
    "e": "b",
    "a": [1, 2, 3],
    "n": None,
    "lc": "x",
    "u": "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
    "m": {"k": 1},
    "b": True,
}
ANSWERS: dict[str, object] = {
    "describe": [[name, type_] for name, type_ in COLUMNS.items()],
    "parameters": [7, TEXT],
    "insert": [[1, "row 1"], [2, "row 2"], [3, "row 3"]],
    "stream": [1_000_000, 499_999_500_000],
    "cancel": "stopped",
}


@pytest.mark.clients
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("user", ["default", "reader"])
@pytest.mark.parametrize(
    "client",
    [pytest.param(name, id=f"{name}-{'python' if each.python else 'compiled'}") for name, each in PROGRAMS.items()],
)
def test_client(steps_of: Callable[[str, str], Steps], client: str, user: str, step: str) -> None:
    line = steps_of(client, user)[step]
    if step == "error":
        assert line.get("code") == 60, line
        assert "clients.absent" in line["message"]
    elif step == "insert" and user == "reader":
        assert line.get("code") == 164, line  # READONLY
    else:
        assert "value" in line, line
        value = line["value"]
        if step == "connect":
            assert value.split(".")[0].isdigit(), value
        elif step == "list":
            assert "typed" in value
        elif step == "select":
            assert dict(zip(TYPED, value, strict=True)) == {**TYPED, **PROGRAMS[client].differs}
        else:
            assert value == ANSWERS[step]
