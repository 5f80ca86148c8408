"""What a shell completes: names of queries, rules and pools, asked as bash asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterpoise.pools.registry_file import load_registry
from desk.cli.completed_names import pool_sums, rule_labels, rule_names
from desk.cli.root import main
from desk.named_queries import named_queries


def completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str) -> list[str]:
    monkeypatch.setenv("_COUNTERPOISE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    assert main([]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("counterpoise sql --name top4_b", ["top4_breaches"]),
        ("counterpoise pools show foundry", ["foundry-usa"]),
        ("counterpoise alerts mute top4-share", ["top4-share"]),
        ("counterpoise alerts silence rule=top4-share", ["rule=top4-share"]),
        ("counterpoise risk --with foundry-usa+antp", ["foundry-usa+antpool"]),
        ("counterpoise entities diff foundry-usa+antp", ["foundry-usa+antpool"]),
        ("counterpoise sql --name xyzzy", []),
        ("counterpoise resto", ["restore"]),
    ],
)
def test_a_name_is_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, expected: list[str]
) -> None:
    assert completed(monkeypatch, capsys, words) == expected


def test_all_names_are_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert completed(monkeypatch, capsys, "counterpoise sql --name ") == sorted(named_queries())
    assert completed(monkeypatch, capsys, "counterpoise pools show ") == sorted(pool.slug for pool in load_registry())
    assert completed(monkeypatch, capsys, "counterpoise alerts list --rule ") == rule_names("") != []


def test_a_rules_file_with_a_mistake_completes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("version: 1\nrules: [{id: mine}]\n")
    monkeypatch.setenv("COUNTERPOISE_ALERTS__RULES_FILE", str(file))
    assert rule_names("") == rule_labels("rule=") == []
    assert rule_labels("r") == ["rule="]
    assert pool_sums("a+foundry") == ["a+foundry-usa"]
