"""The engine's own parser, asked in a session of the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from typing import Final

from engines.clickhouse.engine import EngineConnection
from engines.clickhouse.exceptions import QUERY_WAS_CANCELLED, ServerError, from_engine, name_of
from engines.clickhouse.reader_rules import Tree
from engines.clickhouse.remembered import Remembered
from engines.clickhouse.statement_routing import escape_parameter

_BAD_ARGUMENTS: Final = 36
_NO_TREE: Final = ("is not supported by parseQueryToJSON", "query is not supported", "does not support JSON")


def _tree(text: str) -> Tree:
    """A tree from the engine's JSON. The engine writes floats from 2⁶⁴ up to 10²¹ with all their digits, and reads none so."""
    tree: Tree = json.loads(text, parse_int=_number)
    return tree


def _number(digits: str) -> int | float:
    whole = int(digits)
    return whole if -(1 << 63) <= whole < 1 << 64 else float(whole)


class Parser:
    """Parses and writes statements in the session that `connection` gives; `after` is called behind each question.

    What a text parses to depends on the text and on the session's settings alone, so it is asked once: `answers` keeps it for
    all sessions with the same `settings`. None: the settings are not known, and nothing is kept.
    """

    def __init__(
        self,
        connection: Callable[[], EngineConnection],
        after: Callable[[], None],
        answers: Remembered,
        settings: Callable[[], Hashable | None],
    ) -> None:
        self._connection = connection
        self._after = after
        self._answers = answers
        self._settings = settings

    def parse(self, sql: str) -> Tree | None:
        """The statement's tree as the engine parses it; None for a kind of statement that it makes no tree of.

        A statement that does not parse, and several in one, raise the engine's own error (62).
        """
        try:
            answer = self._ask("SELECT parseQueryToJSON({sql:String})", sql)
        except ServerError as error:
            if error.code == _BAD_ARGUMENTS and any(text in error.text for text in _NO_TREE):
                return None
            raise
        return _tree(answer)

    def write(self, tree: Tree) -> str:
        """A tree as SQL, on one line."""
        return self._ask("SELECT formatQueryFromJSON({sql:String})", json.dumps(tree))

    def rewrite(self, tree: Tree) -> tuple[str, Tree]:
        """A tree as SQL, on one line, and what the engine parses of that."""
        answer = self._ask(
            "WITH formatQueryFromJSON({sql:String}) AS text SELECT toJSONString((text, parseQueryToJSON(text)))",
            json.dumps(tree),
        )
        text, again = json.loads(answer)
        return text, _tree(again)

    def formatted(self, sql: str) -> str:
        """The statement as the engine writes it, on one line."""
        return self._ask("SELECT formatQuerySingleLine({sql:String})", sql)

    def _ask(self, question: str, sql: str) -> str:
        if (settings := self._settings()) is None:
            return self._answer(question, sql)
        key = (question, sql, settings)
        if (known := self._answers.get(key)) is None:
            known = self._answer(question, sql)
            self._answers.put(key, known, key_chars=len(sql))
        return known

    def _answer(self, question: str, sql: str) -> str:
        rows = self._rows_of(question, sql)
        if not rows:
            # Killed, or cut off by the client's own settings (limit, offset), which would cut it off again.
            if self._rows_of(question, sql):
                raise ServerError(QUERY_WAS_CANCELLED, "Query was cancelled.")
            raise ServerError(62, "The statement cannot be read under this session's settings.")
        said = rows[0][0]
        if "\0" in said or "\\u0000" in said:
            raise ServerError(62, "Syntax error: a statement with a NUL character.")
        return str(said)

    def _rows_of(self, question: str, sql: str) -> list[list[str]]:
        try:
            answer = self._connection().query(question, "JSONCompact", params={"sql": escape_parameter(sql)}).bytes()
        except RuntimeError as error:
            found = from_engine(error)
            text, _, _ = found.text.partition(": In scope SELECT ")
            raise ServerError(found.code, text, name=found.name or name_of(found.text)) from None
        finally:
            self._after()  # nothing of the client's was read
        if not answer:
            return []
        try:
            rows: list[list[str]] = json.loads(answer)["data"]
        except UnicodeDecodeError:
            raise ServerError(117, "The statement holds bytes that are not UTF-8.") from None
        return rows
