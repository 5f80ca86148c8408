"""Each row of CONTRIBUTING's table is true: its example, applied to a copy, works from exactly the files that it names.

An example is a folder under `examples`: files at the paths where they go, `example.yaml` with the lines that are put into files that
exist, and `proof.py`, which shows that the thing works. The proof runs in the copy, with the suites of the project that walk the
registries, and with the example's own tests.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from counterpoise.clickhouse.client import connect
from counterpoise.contracts.datasets import Dataset
from tests.engines import ClickHouseServer
from tests.extend.contributing import Pattern, differences, rows
from tests.extend.proving import DATABASE, PASSWORD_FILE, PORT
from tests.long import long
from tests.template import make_database

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = Path(__file__).parent / "examples"
ROWS = {row.folder: row for row in rows((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))}

SHORT = ("signal",)

FOLDERS = (
    "alerts",
    "counterpoise",
    "deploy",
    "desk",
    "docs",
    "engines",
    "ingest",
    "requirements",
    "scripts",
    "sql",
    "streams",
    "testkit",
    "tests",
)
NOT_COPIED = ("snapshot",)
OF_AN_EXAMPLE = {"example.yaml", "proof.py"}
"""What an example has beside the files of the change."""


def copy_of_the_project(to: Path) -> Path:
    """With compiled modules: their times are those of the sources, so that nothing is compiled again."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for path in ROOT.iterdir():
        if path.is_file() and path.suffix in {".md", ".toml", ".yml"}:
            shutil.copy2(path, to)
    return to


Stamps = dict[str, tuple[int, int]]
"""Path → time and size of every file: a copy has those of its original until somebody writes it."""


def stamps(root: Path) -> Stamps:
    """Without what Python and pytest leave."""
    found: Stamps = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in {"__pycache__", ".pytest_cache"}]
        for name in files:
            path = Path(folder, name)
            status = path.stat()
            found[path.relative_to(root).as_posix()] = (status.st_mtime_ns, status.st_size)
    return found


def changed(before: Stamps, root: Path) -> list[str]:
    after = stamps(root)
    assert before.keys() <= after.keys(), "nothing is deleted"
    return sorted(path for path, stamp in after.items() if before.get(path) != stamp)


def own_files(example: Path) -> Iterator[str]:
    for path in sorted(example.rglob("*")):
        name = path.relative_to(example).as_posix()
        if path.is_file() and name not in OF_AN_EXAMPLE and "__pycache__" not in path.parts:
            yield name


def numbered(name: str, root: Path) -> str:
    """The path of an example's file; `NEXT` in it is the number that the next migration gets."""
    if "NEXT" not in name:
        return name
    return name.replace(
        "NEXT", f"{1 + max(int(path.name[:4]) for path in (root / name).parent.glob('[0-9]*.sql')):04d}"
    )


def apply(example: Path, manifest: dict[str, Any], to: Path) -> None:
    """Add the example's files, and its lines after the line that `after` gives, or at the end of the file.

    `NEXT` as a code is the one after the largest of the file.
    """
    for name in own_files(example):
        place = to / numbered(name, to)
        place.parent.mkdir(parents=True, exist_ok=True)
        assert not place.exists(), f"{name} exists already"
        shutil.copy(example / name, place)
    for insert in manifest.get("insert", ()):
        file = to / insert["file"]
        lines = file.read_text(encoding="utf-8").splitlines()
        at = len(lines)
        if "after" in insert:
            assert lines.count(insert["after"]) == 1, f"{insert['file']} has changed: where is {insert['after']!r}?"
            at = lines.index(insert["after"]) + 1
        codes = [int(line.removeprefix("- code: ")) for line in lines if line.startswith("- code: ")]
        text = insert["lines"].replace("code: NEXT", f"code: {max(codes, default=0) + 1}")
        new = textwrap.indent(text, " " * insert.get("indent", 0)).splitlines()
        file.write_text("\n".join([*lines[:at], *new, *lines[at:]]) + "\n", encoding="utf-8")


def run(copy: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
    """A Python process in the copy that imports from there, and from nowhere else."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=clean | {"PYTHONPATH": str(copy)} | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-6_000:]}{done.stderr[-3_000:]}"


def lint(copy: Path, paths: list[str]) -> None:
    """The style of what was written, as `make check` asks for it."""
    modules = [path for path in paths if path.endswith(".py")]
    if modules:
        run(copy, "-m", "ruff", "check", "--no-cache", "--quiet", *modules)
        run(copy, "-m", "ruff", "format", "--no-cache", "--check", "--quiet", *modules)


def generator(written: list[str]) -> list[str]:
    """`make generate`, without the part that starts an engine where nothing changed that tables and views are made of."""
    made_of = ("sql/", "counterpoise/metrics/", "counterpoise/clickhouse/")
    engine = any(path.startswith(made_of) for path in written)
    return ["scripts/generate.py", *([] if engine else ["--no-engine"])]


@pytest.fixture
def database(clickhouse: ClickHouseServer) -> Iterator[str]:
    """A dataset that was made before the example."""
    name = f"extend_{secrets.token_hex(6)}"
    make_database(clickhouse.target, Dataset(name, "simulated"))
    yield name
    with connect(clickhouse.target, "default") as server:
        server.execute("DROP DATABASE {name:Identifier} SYNC", {"name": name})


def test_every_row_has_an_example_and_every_example_a_row() -> None:
    assert sorted(ROWS) == sorted(path.parent.name for path in EXAMPLES.glob("*/proof.py"))


# Long: the other rows; one stays.
@pytest.mark.parametrize("name", [*SHORT, *long(*(name for name in ROWS if name not in SHORT))])
def test_an_example_works_from_the_files_of_its_row(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    row, example = ROWS[name], EXAMPLES / name
    manifest = yaml.safe_load((example / "example.yaml").read_text(encoding="utf-8"))
    copy = copy_of_the_project(tmp_path)
    before = stamps(copy)
    apply(example, manifest, copy)
    written = changed(before, copy)
    assert differences(row.write, written) == []
    lint(copy, written)

    by_hand = stamps(copy)
    run(copy, *generator(written))
    assert differences(row.generated, changed(by_hand, copy)) == []

    environment = {}
    if manifest.get("database"):
        server: ClickHouseServer = request.getfixturevalue("clickhouse")
        environment = {
            PORT: str(server.port),
            PASSWORD_FILE: str(server.password_file),
            DATABASE: request.getfixturevalue("database"),
        }
    proof = f"tests/extend/examples/{name}/proof.py"
    own = [path for path in own_files(example) if path.startswith("tests/")]
    suites = manifest.get("suites", ())
    without = ("-p", "no:cacheprovider", "-p", "no:schemathesis")  # which takes longer to load than most proofs to run
    run(copy, "-m", "pytest", "-q", *without, proof, *own, *suites, environment=environment)


def test_a_row_that_names_too_much_or_too_little_is_seen() -> None:
    patterns = (Pattern("sql/views/NAME.sql"), Pattern("docs/tables.md"))
    assert differences(patterns, ["sql/views/some_view.sql", "docs/tables.md"]) == []
    assert differences(patterns, ["sql/views/some_view.sql", "docs/sql.md"]) == [
        "docs/sql.md is not in the row",
        "docs/tables.md is in the row, and not needed",
    ]
    assert not Pattern("sql/migrations/NNNN_NAME.sql").matches("sql/migrations/12_x.sql")


def test_a_file_that_an_example_would_overwrite_is_seen(tmp_path: Path) -> None:
    example, copy = tmp_path / "example", tmp_path / "copy"
    for folder in (example, copy):
        (folder / "docs").mkdir(parents=True)
        (folder / "docs" / "a.md").write_text("a\n")
    with pytest.raises(AssertionError, match=r"docs/a\.md exists already"):
        apply(example, {}, copy)
    (example / "docs" / "a.md").unlink()
    with pytest.raises(AssertionError, match="has changed: where is 'b'"):
        apply(example, {"insert": [{"file": "docs/a.md", "after": "b", "lines": "c"}]}, copy)
