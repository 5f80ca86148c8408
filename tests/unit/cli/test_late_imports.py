"""What is imported late is not imported with the library, works once it is used, and is the module itself for everybody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from desk.cli.late_imports import LATE

USES = {
    "faust.types.web": "import aiohttp; assert library.HttpClientT.real is aiohttp.ClientSession",
    "faust.utils.cron": "assert library.croniter('0 0 * * *', 0).get_next() == 86_400",
    "mode.utils.cron": "assert library.croniter('0 0 * * *', 0).get_next() == 86_400",
    "httpx": "from httpx._main import main; assert library.main.real is main",
    "pydantic.plugin._loader": "assert not list(library.get_plugins())",
    "pydantic_settings.main": """
async def answer():
    return 42
assert library.asyncio.run(answer()) == 42
""",
    "structlog.dev": """
import io, rich.console, rich.traceback
try:
    1 / 0
except ZeroDivisionError:
    library.rich_traceback(drawn := io.StringIO(), sys.exc_info())
assert "─" in drawn.getvalue() and "ZeroDivisionError" in drawn.getvalue()
assert isinstance(rich.console.Console(), library.Console)
assert library.Traceback.extract.__self__ is rich.traceback.Traceback
""",
    "structlog.tracebacks": 'assert library.to_repr([1, 2], max_length=1, use_rich=True) == "[1, ... +1]"',
    "typer.rich_utils": """
import rich.markdown
assert type(library.Markdown("*one*")) is rich.markdown.Markdown
""",
}

PROGRAM = """
import importlib, sys
import desk.cli
from desk.cli.late_imports import LATE

name = sys.argv[1]
before = set(sys.modules)
library = importlib.import_module(name)
assert not [late for late in LATE[name] if late in sys.modules and late not in before]
USE
for late in LATE[name]:
    assert type(importlib.import_module(late)).__name__ == "module", late
"""


@pytest.mark.parametrize("name", LATE)
def test_a_late_module_works_once_it_is_used(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("USE", USES[name]), name], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_others_get_the_module_itself_while_a_library_has_its_stand_in() -> None:
    program = """
import sys
import desk.cli
import typer.rich_utils
assert "rich.traceback" not in sys.modules
from rich.traceback import Traceback, install
assert isinstance(Traceback, type) and type(Traceback) is type
assert typer.rich_utils.Traceback.real is Traceback
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_class_that_a_library_inherits_is_named_as_not_late(tmp_path: Path) -> None:
    (tmp_path / "heir.py").write_text("from fractions import Fraction\nclass Heir(Fraction): ...\n")
    program = """
import sys
from desk.cli import late_imports
late_imports.LATE = {"heir": ("fractions",)}
sys.path.insert(0, sys.argv[1])
import heir
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "Fraction is imported late, and Heir inherits it: take it out of LATE" in done.stderr


UNNEEDED = "PIL aiohttp croniter markdown_it pygments rich.console rich.pretty scipy"

SERVICE = """
import importlib, sys
import desk.cli.run

importlib.import_module(desk.cli.run.RUNNERS[sys.argv[1]].partition(":")[0])
"""

APP = """
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.model import Settings
from streams.faust_app import create_app, raw_topic

async def nothing():
    pass

app = create_app(Settings.load(), KafkaTarget("127.0.0.1:1"), nothing)
app.finalize()
app.agent(raw_topic(app, "any"))(nothing)
"""


@pytest.mark.parametrize(
    ("service", "made"), [("ingest", ""), ("market", ""), ("streams", APP), ("alerts", "")], ids=lambda value: value[:9]
)
def test_a_service_imports_nothing_that_its_start_does_not_need(service: str, made: str, tmp_path: Path) -> None:
    found = "\nprint(*sorted(set(sys.argv[2].split()) & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", SERVICE + made + found, service, UNNEEDED],
        env=os.environ | {"COUNTERPOISE_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
