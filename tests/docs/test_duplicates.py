"""scripts/duplicates.py finds what stands twice, however it is laid out, and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

BODY = ["one = load(1)", "two = load(2)", "if one > two:", "    say(one)", "three = one + two", "say(three)"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("duplicates_script", ROOT / "scripts" / "duplicates.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def function(name: str, body: list[str], above: str = "start()") -> str:
    return "\n".join([f"def {name}(x):", f"    {above}", *(f"    {line}" for line in body), f"    return {name!r}", ""])


def test_six_lines_that_stand_twice_are_found_once_with_their_places(script: ModuleType) -> None:
    found = list(script.duplicates([("a.py", function("a", BODY)), ("b.py", "\n" + function("b", BODY, "begin()"))]))
    assert found == ["a.py:3 = b.py:4: 6 lines"]


def test_a_longer_run_is_named_at_its_full_length(script: ModuleType) -> None:
    longer = [*BODY, "say(one)", "say(two)"]
    [found] = script.duplicates([("a.py", function("a", longer)), ("b.py", function("b", longer, "begin()"))])
    assert found == "a.py:3 = b.py:3: 8 lines"


def test_the_same_lines_twice_in_one_file_are_found(script: ModuleType) -> None:
    source = function("a", BODY) + function("b", BODY, "begin()")
    assert list(script.duplicates([("a.py", source)])) == ["a.py:3 = a.py:12: 6 lines"]


def test_comments_docstrings_and_spaces_hide_nothing(script: ModuleType) -> None:
    spread = [part for line in BODY for part in (line.replace(" = ", "=") + "  # why", "" if line[0] == "i" else "\n")]
    sources = [("a.py", function("a", BODY)), ("b.py", function("b", ['"""Text."""', *spread], "begin()"))]
    assert len(list(script.duplicates(sources))) == 1


def test_five_lines_imports_and_heads_of_functions_may_repeat(script: ModuleType) -> None:
    assert (
        list(script.duplicates([("a.py", function("a", BODY[:5])), ("b.py", function("b", BODY[:5], "begin()"))])) == []
    )
    imports = "\n".join(f"import module_{number}" for number in range(9))
    head = "def same(\n" + "".join(f"    name_{number}: int,\n" for number in range(9)) + ") -> None:\n    "
    assert list(script.duplicates([("a.py", f"{imports}\n{head}a()\n"), ("b.py", f"{imports}\n{head}b()\n")])) == []


def test_the_exit_code_names_a_finding(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "ROOT", tmp_path)
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "a.py").write_text(function("a", BODY))
    assert script.main(["desk"]) == 0
    (tmp_path / "desk" / "b.py").write_text(function("b", BODY, "begin()"))
    assert script.main(["desk"]) == 1
    assert "desk/a.py:3 = desk/b.py:3" in capsys.readouterr().out
