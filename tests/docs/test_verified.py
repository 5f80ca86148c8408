"""docs/verified.md is what the test modules say, and they say it of components that exist."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from testkit.apache_kafka import VERSION

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verified_script", ROOT / "scripts" / "verified.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_tests_say(script: ModuleType) -> None:
    assert (ROOT / "docs" / "verified.md").read_text(encoding="utf-8") == script.verified_page(), "run `make generate`"
    assert "(docs/verified.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_kind_is_there_and_versions_are_those_that_run(script: ModuleType) -> None:
    found = script.entries()
    assert {entry.kind for entry in found} == set(script.KINDS)
    assert {entry.version for entry in found if entry.component == "Apache Kafka"} == {VERSION}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [btcd] = [entry.version for entry in found if entry.component == "btcd" and entry.kind == "real"]
    assert f"btcd@v{btcd}" in makefile


def test_an_entry_of_another_kind_is_refused(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.txt").write_text("thing==1.2 \\\n")
    (tmp_path / "tests").mkdir()
    module = tmp_path / "tests" / "test_a.py"
    module.write_text('VERIFIES = [("thing", "lock:thing", "real", "all of it")]\n')
    [entry, *never] = script.entries(tmp_path)
    assert (entry.version, entry.test) == ("thing 1.2", "tests/test_a.py")
    assert {one.kind for one in never} == {"never tried"}
    module.write_text('VERIFIES = [("thing", "1", "perhaps", "all of it")]\n')
    with pytest.raises(ValueError, match="'perhaps' is none of real, stand-in, recorded, never tried"):
        script.entries(tmp_path)
