"""The JSON Schema of rules files: what `read_rules` accepts is valid by it, and what it refuses for one field alone is not."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from alerts.rules.rule_types import RULE_TYPES
from alerts.rules.rules_document import read_rules
from alerts.rules.rules_schema import rules_schema, schema_text
from desk.cli.rules import rules_app

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[3]
MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))

NOT_OF_THE_SCHEMA = {
    "field_twice": "YAML itself takes the last",
    "id_twice": "two rules together",
    "lines_crossed": "two fields together",
    "probability_lines_crossed": "two fields together",
    "metric_clear_out_of_range": "the metric decides",
    "metric_clear_over_line": "two fields together",
    "metric_clear_under_line": "two fields together",
    "metric_line_out_of_range": "the metric decides",
    "metric_line_never_passed": "the metric decides",
    "letters_read_no_further_back": "a length of time is text",
    "share_too_fine": "binary fractions",
    "hold_fraction": "36.0 is a whole number in JSON",
    "not_yaml": "no YAML",
    "not_read": "YAML that is refused",
    "share_not_a_number": "JSON has no NaN",
}
"""Mistake files that an editor does not mark, and why."""


@cache
def schema() -> Draft202012Validator:
    """Imported when a test needs it: that takes a second, in each worker that only collects."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(rules_schema())


def errors_of(document: Any) -> list[str]:
    return [error.message for error in schema().iter_errors(document)]


def test_it_is_a_schema() -> None:
    schema().check_schema(rules_schema())
    assert set(rules_schema()["$defs"]) == set(RULE_TYPES)


@pytest.mark.parametrize("name", RULE_TYPES)
def test_every_field_of_every_type_has_a_description(name: str) -> None:
    found = rules_schema()["$defs"][name]
    assert found["description"]
    assert set(found["properties"]) == set(RULE_TYPES[name].fields_by_name())
    assert all(field["description"] for field in found["properties"].values())


def shipped() -> list[Path]:
    """Every rules file of the project."""
    found = [*Path(str(resources.files("alerts"))).rglob("*.yaml"), *(ROOT / "deploy").rglob("*.yaml")]
    return [path for path in found if re.search(r"(?m)^rules:$", path.read_text(encoding="utf-8"))]


def test_the_shipped_rules_are_among_them() -> None:
    assert "rules.yaml" in [path.name for path in shipped()]


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.name)
def test_a_shipped_rules_file_is_valid(path: Path) -> None:
    assert errors_of(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_the_shipped_rules_name_the_schema_for_editors() -> None:
    path = Path(str(resources.files("alerts").joinpath("rules.yaml")))
    [named] = re.findall(r"(?m)^# yaml-language-server: \$schema=(.+)$", path.read_text(encoding="utf-8"))
    assert (path.parent / named).resolve().read_text(encoding="utf-8") == schema_text(), "run `make generate`"


def test_the_rules_files_in_the_docs_are_valid() -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    files = re.findall(r"```yaml\n(version: 1\nrules:\n.*?)```", page, re.DOTALL)
    assert files
    for text in files:
        assert errors_of(yaml.safe_load(text)) == []


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_marked_in_an_editor(path: Path) -> None:
    if path.stem in NOT_OF_THE_SCHEMA:
        return
    assert errors_of(yaml.safe_load(path.read_text(encoding="utf-8")))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5_000),
    st.floats(0, 1, allow_nan=False).map(lambda value: round(value, 6)),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["raw", "entity", "bitcoin", "all", "litecoin", "90s", "10m", " 2 h ", "007d", "8d", "0h", "1y", ""]
    ),
    st.sampled_from(["hhi_10000", "top4_share", "nakamoto_half", "pypi-edge-share", "epoch-ai-compute-owners", "x y"]),
    st.sampled_from([144, 1008, 2016, 4320]),
    st.text(max_size=3),
)
"""Values that some field takes, and others."""


@st.composite
def one_rule(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(RULE_TYPES)))
    names = [name for name in RULE_TYPES[kind].model_fields if name not in ("id", "type")]
    fields = draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=4))
    needs = {"metric": "hhi_10000", "above": 2500} if kind == "metric" else {}
    return {"id": draw(st.sampled_from(["a", "b-1"])), "type": kind, **needs, **fields}


@given(one_rule())
def test_what_the_file_reader_accepts_is_valid(rule: dict[str, Any]) -> None:
    document = {"version": 1, "rules": [rule]}
    rules, mistakes = read_rules(yaml.safe_dump(document, allow_unicode=True))
    assert bool(rules) != bool(mistakes)
    if rules:
        assert errors_of(document) == []


def test_the_command_prints_it() -> None:
    assert CliRunner().invoke(rules_app, ["schema"]).stdout == schema_text()
