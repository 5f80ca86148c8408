"""What every rule is, and the two kinds: judged at every height, or on a timer."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.fields import FieldInfo

from alerts.signals.levels import LevelArray
from alerts.signals.timer_facts import TimerFacts
from alerts.signals.window_counts import WindowCounts, WindowPlace
from counterpoise.chain.chain_registry import BITCOIN, CHAINS, known_chains
from counterpoise.contracts.alert_transition import AlertState
from counterpoise.contracts.base import Slug
from counterpoise.spans import DAY_SECONDS, parse_span
from counterpoise.windows import RAW, USUAL_WINDOW_BLOCKS, WINDOWS_BLOCKS, View

WINDOWS_TEXT = ", ".join(str(window) for window in WINDOWS_BLOCKS)

MAX_DECIMALS = 6
MAX_DURATION_SECONDS = 366 * DAY_SECONDS

ALL_CHAINS: Final = "all"
"""In place of a chain's name: the rule stands for one rule on each known chain."""


def parse_duration(value: object) -> int:
    """Seconds in `90s`, `10m`, `2h`, `7d`; ValueError for anything else, zero and more than a year among it."""
    seconds = parse_span(value) if isinstance(value, str) else 0
    if not 1 <= seconds <= MAX_DURATION_SECONDS:
        raise ValueError("not a duration")
    return seconds


def _share(value: object) -> object:
    if isinstance(value, float) and round(value, MAX_DECIMALS) != value:
        raise ValueError("too many decimals")
    return value


def _known_chain(name: str) -> str:
    if name != ALL_CHAINS and name not in CHAINS:
        raise ValueError("not a known chain")
    return name


def _scored_window(window_blocks: int) -> int:
    if window_blocks not in WINDOWS_BLOCKS:
        raise ValueError("not a window that is scored")
    return window_blocks


WindowBlocks = Annotated[int, Field(strict=True), AfterValidator(_scored_window)]
Share = Annotated[
    float,
    Field(gt=0, lt=1, strict=True, allow_inf_nan=False),
    BeforeValidator(_share),
]
DURATION_FORMAT: Final = "duration"
DurationSeconds = Annotated[
    int,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\s*0*[1-9]\d{0,5}\s?[smhd]\s*$", "format": DURATION_FORMAT}),
]

Severity = Literal["info", "warning", "critical"]

SHARE_WANTED = "a share above 0 and below 1 with at most 6 decimals, such as 0.75"
DURATION_WANTED = "a duration such as 90s, 10m, 2h or 7d, up to 366d"


def exact(share: float) -> Fraction:
    """The decimal that was written in the file, exactly: comparisons with counts then need no floating point."""
    return Fraction(str(share))


class Unfit(NamedTuple):
    """A field that does not fit the rule's other fields, or that names something that does not exist.

    A field inside another is named with both, `when.signal`; the place in a list is a number, `when.all.0.signal`. `beside` are the
    other fields that decided; `among` are the names that were allowed.
    """

    field: str
    value: object
    expected: str
    beside: tuple[str, ...] = ()
    among: tuple[str, ...] = ()


class Rule(BaseModel):
    """Closed: an unknown field is a mistake. A field's description states the expected value.

    What follows from its fields may be a `cached_property`: a copy has none of its values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    NOTES: ClassVar[tuple[str, ...]] = ("severity", "owner", "runbook", "alarm_rate", "labels")
    """What is for the people who see an alert, and decides nothing."""

    NOT_HASHED: ClassVar[frozenset[str]] = frozenset({"id", "enabled", "title", "inhibited_by", *NOTES})

    advice: ClassVar[str] = ""
    """What the recipient checks first: a line or two of Slack's mrkdwn."""

    SCHEMA: ClassVar[Mapping[str, Any]] = {}
    """What the JSON Schema of the type has beside its fields."""

    OF_A_CHAIN: ClassVar[bool] = True
    """Whether what it judges differs from chain to chain; where not, `all` means one rule and not one for each."""

    READS_NEWEST: ClassVar[bool] = False
    """Whether the SQL of its evidence reads the newest data, so that another value later is no revision."""

    id: Slug = Field(description="a name of 1…64 lower-case letters, digits, dots, dashes and underscores")
    enabled: bool = Field(default=True, strict=True, description="true or false")
    title: Annotated[str, Field(strict=True, min_length=1, max_length=120)] = Field(
        default="-", description="a line of 1…120 characters"
    )
    chain: Annotated[Slug, AfterValidator(_known_chain)] = Field(
        default=BITCOIN.name,
        description=f"one of {known_chains()}, or {ALL_CHAINS}",
        json_schema_extra={"enum": [*CHAINS, ALL_CHAINS]},
    )
    severity: Severity | None = Field(default=None, description="info, warning or critical")
    owner: Annotated[str, Field(strict=True, max_length=120)] = Field(
        default="", description="who is responsible: at most 120 characters"
    )
    runbook: Annotated[
        str,
        Field(strict=True, max_length=500, pattern=r"^(https?://[^\s<>|]+|docs/[a-z0-9_./-]+\.md(#[a-z0-9_.-]+)?)?$"),
    ] = Field(
        default="", description="the https address of what to do, or a page of these docs such as docs/runbook.md"
    )
    alarm_rate: Annotated[str, Field(strict=True, max_length=160)] = Field(
        default="", description="how often it alarms in a backtest, or `not backtested`: at most 160 characters"
    )
    inhibited_by: Slug | None = Field(
        default=None,
        description="the id of the rule that is one step higher: while it fires, no message of this one is sent",
    )
    labels: Annotated[dict[Slug, Annotated[str, Field(strict=True, max_length=120)]], Field(max_length=16)] = Field(
        default_factory=dict, description="a mapping of at most 16 names to texts of at most 120 characters"
    )

    @classmethod
    def fields_by_name(cls) -> dict[str, FieldInfo]:
        """Its fields by the names that a file has for them."""
        return {info.alias or name: info for name, info in cls.model_fields.items()}

    @cached_property
    def rule_hash(self) -> str:
        """12 hexadecimal digits of the rule's content: its type and every value, defaults too, but none of `NOT_HASHED`."""
        text = json.dumps(self.content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def rises(self) -> bool | None:
        """Whether large values pass its line; None where the rule does not state a side."""
        return None

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values; what was computed from those of before is left out."""
        found = super().model_copy(update=update, deep=deep)
        for name in found.__dict__.keys() - type(self).model_fields.keys():
            del found.__dict__[name]
        return found

    @cached_property
    def as_evidence(self) -> dict[str, Any]:
        """What the evidence of its alerts has of the rule: its name, its condition in words, its content and its notes."""
        return {"title": self.name, "condition": self.condition(), "rule": self.content() | self.notes()}

    def content(self) -> dict[str, Any]:
        """Its type and every value that decides when it fires: what its hash is of."""
        return self.model_dump(mode="json", exclude=set(self.NOT_HASHED))

    @property
    def name(self) -> str:
        """The title, or the id where there is none."""
        return self.id if self.title == "-" else self.title

    @property
    def chain_word(self) -> str:
        """The chain before a noun in a message, with a space; empty on bitcoin, the usual one."""
        return "" if self.chain == BITCOIN.name else f"{self.chain} "

    def next_step(self) -> str:
        """`advice`, with the rule's own id in it."""
        return self.advice.replace("RULE", self.id)

    def notes(self) -> dict[str, Any]:
        """What it has of `NOTES`, as its alerts' evidence keeps them beside `content`."""
        found = self.model_dump(mode="json", include=set(self.NOTES))
        return {name: value for name, value in found.items() if value}

    def responsible(self) -> tuple[tuple[str, str], ...]:
        """(name, value) of what it has of `NOTES`, as its messages show them."""
        labels = ", ".join(f"{name}={value}" for name, value in self.labels.items())
        values = {name: getattr(self, name) for name in self.NOTES} | {"labels": labels}
        return tuple((name.capitalize().replace("_", " "), value) for name, value in values.items() if value)

    def on_chain(self, chain: str) -> Self:
        """This rule on one chain; it hashes as if the chain's name had been written."""
        return self.model_copy(update={"chain": chain})

    def per_chain(self) -> tuple[Self, ...]:
        """The rules that are judged: itself, or where it names all chains, one for each, with the chain in the title."""
        if self.chain != ALL_CHAINS:
            return (self,)
        if not self.OF_A_CHAIN:
            return (self.on_chain(BITCOIN.name),)
        return tuple(self.on_chain(name).model_copy(update={"title": f"{self.name} ({name})"}) for name in CHAINS)

    def unfit(self) -> tuple[Unfit, ...]:
        """Every field that is valid alone and does not fit the others; empty where all is well."""
        return ()

    @abstractmethod
    def condition(self) -> str:
        """What it waits for, in words: one line."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A rule's value at one height, NaN where a rule of several conditions has one of another condition only. Bounds and interval are
    None where the rule has none.

    `words` is the value as the beginning of a sentence, where the rule does not write it from the value alone.
    """

    value: float
    threshold: float
    low: float | None = None
    high: float | None = None
    interval_low: float | None = None
    interval_high: float | None = None
    words: str = ""


LEADERS_ADVICE = (
    "Who gained: the table above, and `counterpoise sql --name top_pools_now`. Quiet it with `counterpoise alerts "
    "mute RULE --for 2h`; what it means is in docs/alerts.md."
)


class HeightRule(Rule):
    """A rule on one window of one view, judged at every height."""

    view: View = Field(default=RAW, description="raw or entity")
    window_blocks: WindowBlocks = Field(
        default=USUAL_WINDOW_BLOCKS,
        description=f"one of {WINDOWS_TEXT}",
        json_schema_extra={"enum": list(WINDOWS_BLOCKS)},
    )
    for_blocks: int = Field(default=36, strict=True, ge=0, le=100_000, description="a whole number of blocks, 0…100000")

    def unfit(self) -> tuple[Unfit, ...]:
        if self.for_blocks <= self.window_blocks:
            return super().unfit()
        limit = f"at most the window of {self.window_blocks} blocks: after that none of its blocks is left in it"
        field = type(self).model_fields["for_blocks"].alias or "for_blocks"
        return (*super().unfit(), Unfit(field, self.for_blocks, limit, ("window_blocks",)))

    def breach(self, reading: Reading) -> str:
        """Where the value stands while the rule fires, with its line: `over 75 %`."""
        return f"{self.over} {self.format_line(reading.threshold)}"

    @property
    def lookback_blocks(self) -> int:
        """How many heights before the first one that is judged `levels` has to be given; without them it has no data there."""
        return 0

    @property
    def beside(self) -> tuple[WindowPlace, ...]:
        """Windows that it judges beside its own."""
        return ()

    @property
    def series_key(self) -> tuple[object, ...]:
        """What it reads: rules with one key can share a series."""
        return self.chain, self.view, self.window_blocks, self.further_columns, self.beside

    def varied(self, *, line: float | None = None, hold: int | None = None, clear: float | None = None) -> Self | None:
        """The same rule with another line, hold or clearing line; None where it has none, ValueError for a value that is none."""
        wanted = {"above": line, "for_blocks": hold, "clear_below": clear}
        given = {name: value for name, value in wanted.items() if value is not None}
        if any(name not in type(self).model_fields for name in given):
            return None
        return type(self).model_validate(self.model_dump() | given)

    @property
    def over(self) -> str:
        """Where the value stands to the line while the rule fires."""
        return "over"

    @property
    def leaders_named(self) -> int:
        """How many of the largest pools a firing names."""
        return 4

    @property
    def further_columns(self) -> tuple[str, ...]:
        """Columns of `concentration_log` that the rule needs beside those that every series has."""
        return ()

    @property
    def metric_name(self) -> str | None:
        """The metric spec that its value is one of; None for a rule with its own wording."""
        return None

    @abstractmethod
    def cleared(self) -> str:
        """Where the value stands to the clearing line when the rule clears: the end of a sentence."""

    @abstractmethod
    def levels(self, series: WindowCounts) -> LevelArray:
        """Where the value stands at each height of the series."""

    @property
    @abstractmethod
    def lines(self) -> tuple[float, float | None]:
        """The line at which it fires, and the one at which it clears; None where that is the same line."""

    @property
    def written_lines(self) -> tuple[float, ...]:
        """The lines that it has: what its values are written beside."""
        return tuple(line for line in self.lines if line is not None)

    @abstractmethod
    def values(self, series: WindowCounts) -> NDArray[np.float64]:
        """The value at each height; NaN where it is undefined."""

    @abstractmethod
    def reading(self, series: WindowCounts, at: int) -> Reading | None:
        """The value at row `at`, with its bounds and interval; None where it is undefined."""

    @abstractmethod
    def statement(self, reading: Reading, n: int) -> str:
        """The value of a window of `n` blocks in words: the beginning of a sentence."""

    @abstractmethod
    def format_value(self, value: float, *beside: float) -> str:
        """A value in its unit. It is written on its side of the rule's lines, and of the values `beside` it."""

    @abstractmethod
    def format_line(self, value: float) -> str:
        """A line as the rules file has it."""

    @abstractmethod
    def value_sql(self) -> str:
        """The expression that gives the value from a row of `concentration_log`."""

    def terms_sql(self) -> str:
        """What stands before SELECT and names the terms of `value_sql`; empty where it has none."""
        return ""

    def bounds_sql(self) -> str:
        """Further columns with the bounds of the value, each with a comma before it; empty where it has none."""
        return ""

    def reproducing_sql(self, attribution_id: str, height: int) -> str:
        """A query that gives the value at a height again, from stored integers. The parts that are filled in are names and numbers
        that the contracts admit, so that nothing in them could end the quotes."""
        return (
            f"{self.terms_sql()}SELECT height, lower(hex(tip_hash)) AS tip_hash, n, unknown, {self.value_sql()} AS value"  # noqa: S608
            f"{self.bounds_sql()} FROM concentration_log FINAL WHERE "
            f"{series_sql(attribution_id, self.chain, WindowPlace(self.view, self.window_blocks))} AND height = {height}"
        )


def series_sql(attribution_id: str, chain: str, place: WindowPlace) -> str:
    """The condition for the rows of one series of `concentration_log`."""
    return (
        f"attribution_id = '{attribution_id}' AND chain = '{chain}' AND view = '{place.view}' "
        f"AND window_blocks = {place.window_blocks}"
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """What a timer rule sees now. `key` names the episode (a height or a second), so that every run gives it the same id.

    `state` is that of an active one, `ended` that of one which is not. `renews`: while the episode is open, a later `event_time` than
    the last sent one is sent too. `interval_low` and `interval_high` are of `value`.
    """

    active: bool
    key: int
    event_time: int
    summary: str
    value: float | None = None
    threshold: float | None = None
    sql: str = ""
    renews: bool = False
    interval_low: float | None = None
    interval_high: float | None = None
    state: AlertState = "firing"
    ended: AlertState = "resolved"


def withdrawn(facts: TimerFacts, open_key: int | None, summary: str) -> Finding | None:
    """What a rule finds where there is nothing to judge by: the end of an episode that is open, for what it
    rested on was taken back."""
    return None if open_key is None else Finding(False, open_key, int(facts.now), summary)


class TimerRule(Rule):
    """A rule judged on a timer, from facts that ClickHouse and the services' own status give: a dead-man's switch."""

    @abstractmethod
    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        """What it sees; None where there is nothing to judge by. `open_key` is the key of the episode that is open."""

    @property
    def hold_seconds(self) -> int:
        """How long a finding has to be active before it is one."""
        return 0

    def findings(self, facts: TimerFacts, open_keys: Mapping[str, int]) -> list[tuple[str, Finding | None]]:
        """What it sees of each of its instances, by their keys; most rules have one, with an empty key. None of an instance that is
        there and of which nothing is known: it stays as it is."""
        finding = self.judge(facts, open_keys.get(""))
        return [] if finding is None else [("", finding)]
