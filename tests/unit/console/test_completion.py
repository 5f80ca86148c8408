"""The editor's completion: the module itself, run by Node where there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).resolve().parents[3] / "desk" / "web" / "console" / "static" / "completion.js"
NAMES = {
    "tables": [
        {
            "name": "blocks",
            "comment": "The best chain",
            "columns": [{"name": name, "type": "UInt32", "comment": ""} for name in ("height", "pool", "hash")],
        },
        {"name": "alerts", "comment": "", "columns": [{"name": "alert_id", "type": "String", "comment": ""}]},
    ],
    "functions": [{"name": "argMax", "aggregate": True}, {"name": "hex", "aggregate": False}],
    "keywords": ["SELECT", "HAVING"],
    "queries": [],
}

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no node here")


def call(expression: str) -> Any:
    code = f"import * as m from {json.dumps(MODULE.as_uri())}; console.log(JSON.stringify({expression}))"
    done = subprocess.run(
        ["node", "--input-type=module", "--no-warnings", "-e", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def texts(text: str) -> list[str]:
    """Choices at the place of the bar."""
    at = text.index("|")
    found = call(f"m.choicesAt({json.dumps(text.replace('|', ''))}, {at}, {json.dumps(NAMES)})")
    return [one["text"] for one in found]


def test_columns_of_the_named_table_come_first() -> None:
    assert texts("SELECT h| FROM blocks") == ["height", "hash", "HAVING", "hex("]
    assert texts("SELECT h|") == ["HAVING", "hex("]


def test_tables_follow_from_and_columns_follow_an_alias() -> None:
    assert texts("SELECT 1 FROM |") == ["blocks", "alerts"]
    assert texts("SELECT b.| FROM blocks AS b") == ["height", "pool", "hash"]
    assert texts("SELECT alerts.al| FROM blocks") == ["alert_id"]
    assert texts("SELECT x.a| FROM blocks") == []


def test_a_whole_word_is_not_offered_and_the_middle_of_one_is_found() -> None:
    assert texts("SELECT height| FROM blocks") == []
    assert texts("SELECT max| FROM blocks") == ["argMax("]


def test_parameters_and_places() -> None:
    assert call("m.parametersIn('SELECT {a:String}, {b:Array(UInt8)}, {a:String}')") == [
        {"name": "a", "type": "String"},
        {"name": "b", "type": "Array(UInt8)"},
    ]
    assert call("m.placeOf('SELECT\\n  1 +\\nFROM', 3, 2)") == 14
