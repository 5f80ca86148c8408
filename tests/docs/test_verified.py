"""docs/verified.md is what the test modules say, and they say it of components that exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from testkit.apache_kafka import VERSION
from testkit.btcd_node import VERSION as BTCD_VERSION
from testkit.btcd_node import require_version

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
    assert btcd == BTCD_VERSION and f"btcd@v{btcd}" in makefile


def test_every_row_that_ci_leaves_out_is_a_row_and_named_on_the_page(script: ModuleType) -> None:
    rows = {(entry.component, entry.kind) for entry in script.entries()}
    assert set(script.NOT_IN_CI) <= rows
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for component, _ in script.NOT_IN_CI:
        assert component not in ci, f"CI runs {component}"
    for line in (ROOT / "docs" / "verified.md").read_text(encoding="utf-8").splitlines():
        if "| [test](" in line:
            component, _, kind, _, in_ci, _ = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert in_ci == script.NOT_IN_CI.get((component, kind), "yes")


def test_every_polled_mapping_and_rolling_source_has_a_row(script: ModuleType) -> None:
    said = " ".join(entry.component + entry.what for entry in script.entries())
    page = (ROOT / "docs" / "market-sources.md").read_text(encoding="utf-8").partition("**Never tried live.**")[2]
    untried = re.findall(r"(?m)^\| `([\w-]+)` \| https://", page)
    assert len(untried) >= 5
    for name in untried:
        assert f"`{name}`" in said or (name == "openrouter" and "OpenRouter daily exports" in said), name


@pytest.mark.parametrize(
    ("said", "fits"), [(f"btcd version {BTCD_VERSION}-beta", True), ("btcd version 0.24.2-beta", False), ("", False)]
)
def test_a_btcd_of_another_version_is_refused(tmp_path: Path, said: str, fits: bool) -> None:
    binary = tmp_path / "btcd"
    binary.write_text(f"#!/bin/sh\necho '{said}'\n")
    binary.chmod(0o755)
    if fits:
        require_version(str(binary))
    else:
        with pytest.raises(AssertionError, match=f"expected btcd {BTCD_VERSION}"):
            require_version(str(binary))


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
    with pytest.raises(ValueError, match="'perhaps' is none of real, stand-in, recorded, by shape, never tried"):
        script.entries(tmp_path)
