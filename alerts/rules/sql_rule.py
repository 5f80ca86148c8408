"""`sql`: a query on a schedule, with one alert for each key that it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from alerts.rules.line import LINE_WANTED, Line
from alerts.rules.rule import DURATION_WANTED, DurationSeconds, Finding, TimerRule, Unfit
from alerts.signals.query_answer import QueryAnswer, QueryRow
from alerts.signals.timer_facts import TimerFacts
from counterpoise.formats import TEXT
from counterpoise.spans import exact_span

SHORTEST_SECONDS: Final = 10
MAX_SQL: Final = 20_000
MAX_FIRING: Final = 100
"""A query that puts more keys past the line at once is a mistake, and no desk reads so many messages."""


class SqlRule(TimerRule):
    """Fires for each row of a query whose value is past the line; without a line, for each row. Resolves when the value is past the
    clearing line, or the row is gone.

    The query gives the columns `key` and `value`, and `time` (UTC) where it has one. It reads only, and has `{chain:String}` as its
    parameter. A row without a value changes nothing. A query that fails is reported once, and every alert stays as it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    READS_NEWEST: ClassVar[bool] = True

    advice: ClassVar[str] = "Run the query below with `counterpoise sql`, and check what its rows rest on."

    type: Literal["sql"] = "sql"
    sql: Annotated[str, Field(strict=True, min_length=1, max_length=MAX_SQL)] = Field(
        description=f"one SELECT of 1…{MAX_SQL} characters with the columns key and value"
    )
    every: DurationSeconds = Field(default=300, description=DURATION_WANTED)
    fire: Line | None = Field(default=None, description=LINE_WANTED)
    clear: Line | None = Field(default=None, description=LINE_WANTED)
    hold: DurationSeconds | None = Field(default=None, alias="for", description=DURATION_WANTED)
    unit: Annotated[str, Field(strict=True, max_length=20)] = Field(
        default="", description="share, or a word of at most 20 characters that follows the value"
    )

    def unfit(self) -> tuple[Unfit, ...]:
        return (*super().unfit(), *self._unfit())

    def _unfit(self) -> Iterator[Unfit]:
        if self.every < SHORTEST_SECONDS:
            yield Unfit("every", exact_span(self.every).replace(" ", ""), f"at least {SHORTEST_SECONDS}s")
        wrong = False
        for name in ("fire", "clear"):
            line: Line | None = getattr(self, name)
            if line is not None and len(line.given) != 1:
                wrong = True
                yield Unfit(name, line.model_dump(exclude_none=True), LINE_WANTED)
        if self.clear is None or wrong:
            return
        if self.fire is None:
            yield Unfit("clear", self.clear.model_dump(exclude_none=True), "nothing without `fire`", ("fire",))
        else:
            problem = self.fire.problem_of_clear(self.clear)
            if problem:
                yield Unfit(f"clear.{self.clear.operator}", self.clear.value, problem, ("fire",))

    @property
    def rises(self) -> bool | None:
        return None if self.fire is None else self.fire.rises

    @property
    def hold_seconds(self) -> int:
        return self.hold or 0

    def condition(self) -> str:
        what = (
            "a row of its query"
            if self.fire is None
            else f"a value of its query {self.fire.word} {self._written(self.fire.value)}"
        )
        hold = f" for {exact_span(self.hold)}" if self.hold else ""
        clear = "" if self.clear is None else f", clear {self.clear.word} {self._written(self.clear.value)}"
        return f"{what}{hold}{clear}, every {exact_span(self.every)}"

    def _written(self, value: float) -> str:
        """A value or a line; a value on its side of each line."""
        lines = [line.value for line in (self.fire, self.clear) if line is not None]
        if self.unit == "share":
            return TEXT.share(value, None, lines=lines)
        short = f"{value:,.10g}"
        merged = any(short == f"{line:,.10g}" and value != line for line in lines)
        return f"{f'{value:,.17g}' if merged else short}{f' {self.unit}' if self.unit else ''}"

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        """The state of the query itself: an error, or its end."""
        answer = self._answer(facts)
        if answer is None:
            return None
        now, key = int(answer.at), int(answer.at) if open_key is None else open_key
        if answer.error:
            summary = f"The query of rule {self.id} fails: {answer.error}"
            return Finding(True, key, now, summary, sql=self.sql, state="error")
        return Finding(
            False, key, now, f"The query of rule {self.id} gives an answer again.", sql=self.sql, ended="inactive"
        )

    def _answer(self, facts: TimerFacts) -> QueryAnswer | None:
        answer = facts.answers.get(self.id)
        if answer is None or answer.error:
            return answer
        past = sum(self._is_past(row) for row in answer.rows)
        if past <= MAX_FIRING:
            return answer
        return QueryAnswer(answer.at, error=f"{past} keys are past the line, expected at most {MAX_FIRING}")

    def _is_past(self, row: QueryRow) -> bool:
        if self.fire is None:
            return True
        return row.value is not None and self.fire.passes(row.value)

    def findings(self, facts: TimerFacts, open_keys: Mapping[str, int]) -> list[tuple[str, Finding | None]]:
        found = super().findings(facts, open_keys)
        answer = self._answer(facts)
        if answer is None or answer.error:
            return found
        rows = {row.key: row for row in answer.rows}
        found += [(row.key, self._of_row(row, answer, open_keys.get(row.key))) for row in answer.rows]
        found += [(key, self._gone(key, answer, at)) for key, at in open_keys.items() if key and key not in rows]
        return found

    def _of_row(self, row: QueryRow, answer: QueryAnswer, open_key: int | None) -> Finding | None:
        if row.value is None and self.fire is not None:
            return None
        at = int(answer.at) if row.time is None else row.time
        key = at if open_key is None else open_key
        line = None if self.fire is None else self.fire.value
        written = "" if row.value is None else f": {self._written(row.value)}"
        if self._is_past(row):
            summary = f"{row.key}{written}{'' if self.fire is None else f', {self.fire.word} {self._written(self.fire.value)}'}."
            return Finding(True, key, at, summary, row.value, line, self.sql)
        if (
            open_key is not None
            and self.clear is not None
            and row.value is not None
            and not self.clear.passes(row.value)
        ):
            return Finding(True, key, at, f"{row.key}{written}.", row.value, line, self.sql)
        assert self.fire is not None  # noqa: S101 - without a line every row is past it
        where = (
            f"{self.clear.word} {self._written(self.clear.value)}"
            if self.clear
            else f"no longer {self.fire.word} {self._written(self.fire.value)}"
        )
        return Finding(False, key, at, f"{row.key}{written}, {where}.", row.value, line, self.sql)

    def _gone(self, key: str, answer: QueryAnswer, open_key: int) -> Finding:
        return Finding(
            False, open_key, int(answer.at), f"{key} is no longer among the rows of the query.", sql=self.sql
        )
