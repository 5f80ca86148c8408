"""The working directory holds the user's data. No module in it is imported, whatever its name is, by any of our processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from counterpoise.runtime.python_module import module_command, module_environment
from engines.stack import down
from tests.integration.runtime.cli import clean_environment
from tests.waiting import PATIENCE_SECONDS

OURS = frozenset({"alerts", "counterpoise", "desk", "engines", "ingest", "streams"})
NAMES = sorted(
    {name for name in sys.stdlib_module_names | packages_distributions().keys() if name.isidentifier()}
    | {"sitecustomize", "usercustomize"} | OURS
)  # fmt: skip
TRAP = """
import os
with open(os.environ["TRAPPED"], "a") as file:
    file.write(f"{__name__}\\n")
raise RuntimeError("the working directory was imported from")
"""


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Path]:
    """A folder with a module of every name that any code might import."""
    folder = tmp_path / "trap"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(TRAP)
    yield folder
    down(tmp_path / "state")


def trapped(trap: Path) -> list[str]:
    file = trap.parent / "trapped"
    return file.read_text().split() if file.exists() else []


def run(trap: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    more = {"TRAPPED": str(trap.parent / "trapped"), "COUNTERPOISE_STATE_DIR": str(trap.parent / "state")}
    return subprocess.run(
        command,
        cwd=trap,
        env=clean_environment(more | environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_the_traps_work(trap: Path) -> None:
    assert run(trap, sys.executable, "-c", "import attr").returncode == 1
    assert trapped(trap) == ["attr"]


@pytest.mark.parametrize("service", ["ingest", "market", "streams", "alerts"])
def test_a_service_imports_nothing_from_it(trap: Path, service: str) -> None:
    done = run(
        trap,
        *module_command("counterpoise", "--log-level", "nothing", "run", service, "--child"),
        **{"COUNTERPOISE_INGEST__SOURCE": "figures"},
    )
    assert trapped(trap) == []
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("counterpoise: settings: log_level: ")


def test_no_module_of_ours_imports_from_it(trap: Path) -> None:
    """Every module of every package, in one process that is started as services are."""
    walk = (
        "import sys; sys.argv = ['walk']; import importlib, pkgutil\n"
        f"for top in {sorted(OURS)}:\n"
        "    package = importlib.import_module(top)\n"
        "    for found in pkgutil.walk_packages(package.__path__, top + '.'):\n"
        "        if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "print(len(sys.modules))"
    )
    done = run(trap, sys.executable, "-P", "-W", "ignore", "-c", walk)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1_000
    assert trapped(trap) == []


# Long: seven commands in full; the services and every module of ours stay above.
@pytest.mark.long
def test_the_engines_and_the_commands_import_nothing_from_it(trap: Path) -> None:
    """As `python -m counterpoise`. What Python's -m imports on its own, before any code of ours, is not ours to decide."""
    own = run(trap, sys.executable, "-P", "-c", "import runpy, sys; print(*sys.modules)").stdout.split()
    for name in {"counterpoise", *own}:
        (trap / f"{name}.py").unlink(missing_ok=True)
    rows = (f"{2_700_000 + n},{1_700_000_000 + 150 * n},viabtc\n" for n in range(300))
    (trap / "blocks.csv").write_text("height,time,pool\n" + "".join(rows))
    for arguments in (
        ("--version",),
        ("doctor", "--offline", "--json"),
        ("up", "--kafka-port", "0", "--clickhouse-port", "0", "--http-port", "0"),
        ("migrate",),
        ("sql", "SELECT 1"),
        ("--dataset", "past", "--dataset-kind", "historical", "replay", "--blocks", "blocks.csv"),
        ("down",),
    ):
        done = run(trap, sys.executable, "-m", "counterpoise", *arguments, COUNTERPOISE_INGEST__CHAIN="litecoin")
        assert trapped(trap) == [], arguments
        assert done.returncode == 0 or "doctor" in arguments, done.stderr


@pytest.mark.parametrize(
    ("given", "kept"), [(":/a", "/a"), ("/a::/b", "/a:/b"), ("", ""), (":", ""), ("/a:/b", "/a:/b")]
)
def test_an_empty_entry_of_pythonpath_is_not_passed_on(given: str, kept: str) -> None:
    assert module_environment({"PYTHONPATH": given.replace(":", os.pathsep)})["PYTHONPATH"] == kept
    assert module_environment({}) == {"PYTHONSAFEPATH": "1"}
