"""The parser asks the engine once for a text under the same settings, and each time where the settings are not known."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any, cast

import pytest

from engines.clickhouse.engine import EngineConnection
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.parser import Parser
from engines.clickhouse.remembered import Remembered


class Asked:
    """A session of the engine that answers with the settings it was asked under; `refuses` makes it fail."""

    def __init__(self, settings: Hashable | None) -> None:
        self.settings = settings
        self.questions = 0
        self.refuses = False

    def query(self, sql: str, output_format: str, *, params: Mapping[str, str]) -> Any:
        self.questions += 1
        if self.refuses:
            raise RuntimeError("Code: 62. DB::Exception: Syntax error")
        answer = json.dumps({"sql": params["sql"], "under": str(self.settings), "children": []})
        return type("Answer", (), {"bytes": staticmethod(lambda: json.dumps({"data": [[answer]]}).encode())})


def parser(asked: Asked, answers: Remembered) -> Parser:
    return Parser(lambda: cast(EngineConnection, asked), lambda: None, answers, lambda: asked.settings)


def test_a_text_is_asked_once_for_all_sessions_of_the_same_settings() -> None:
    answers = Remembered(entries=10, chars=10_000)
    first, same, other, unknown = Asked(()), Asked(()), Asked((("limit", "0"),)), Asked(None)
    tree = parser(first, answers).parse("SELECT 1")
    assert tree == {"sql": "SELECT 1", "under": "()", "children": []}
    tree["children"].append("changed by whoever got it")
    for asked, questions, under in ((same, 0, "()"), (other, 1, "(('limit', '0'),)"), (unknown, 2, "None")):
        for _ in range(2):
            again = parser(asked, answers).parse("SELECT 1")
            assert again == {"sql": "SELECT 1", "under": under, "children": []}
        assert asked.questions == questions
    assert parser(same, answers).formatted("SELECT 1") and same.questions == 1, "another question about the same text"


def test_an_error_is_not_kept() -> None:
    asked, answers = Asked(()), Remembered(entries=10, chars=10_000)
    asked.refuses = True
    for questions in (1, 2):
        with pytest.raises(ServerError):
            parser(asked, answers).parse("SELEC 1")
        assert asked.questions == questions
    asked.refuses = False
    assert parser(asked, answers).parse("SELEC 1") is not None
