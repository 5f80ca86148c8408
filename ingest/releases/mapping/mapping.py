"""A mapping: where in somebody's file or JSON document the parts of a release are. One YAML file, every field checked."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from counterpoise.contracts.base import Slug
from counterpoise.contracts.releases import VENUES

MAPPING_FORMAT = "counterpoise-mapping/1"
MAX_ITEMS = 10_000

SCOPE = ("row", "item", "document", "file", "fetched")
"""What an expression sees: the row, the item that the URL was made for, the whole document, `file.name` and `file.modified`
(milliseconds), `fetched.day` and `fetched.ms`."""


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )


class Expression(_Part):
    """A compiled JMESPath expression over the scope, or over a document where only that exists."""

    text: str
    parsed: Any = Field(exclude=True, repr=False)

    def of(self, scope: Any) -> Any:
        """What it finds; None where it finds nothing. ValueError where it cannot be applied (a function of a wrong type)."""
        try:
            return self.parsed.search(scope)
        except JMESPathError as error:
            raise ValueError(f"{self.text}: {' '.join(str(error).split())[:200]}") from None


def _compiled(text: Any) -> Any:
    if isinstance(text, Expression):
        return text
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{text!r} is no JMESPath expression: expected a text such as row.name")
    try:
        return Expression(text=text, parsed=jmespath.compile(text))
    except JMESPathError as error:
        reason = str(error).splitlines()[0].partition("jmespath expression: ")[2].rstrip(":") or "not understood"
        raise ValueError(f"{text!r} is no JMESPath expression: {reason[:200]}") from None


Compiled = Annotated[Expression, BeforeValidator(_compiled)]


def _scoped(text: Any) -> Any:
    """As `_compiled`, for what is evaluated on a row: the first name must be one of the scope's, or nothing would ever be found."""
    expression = _compiled(text)
    first = expression.text.strip()
    name = first.split(".")[0].split("[")[0].split(" ")[0]
    if name.isidentifier() and name not in SCOPE:
        raise ValueError(f"{text!r} starts with {name!r}: expected one of {', '.join(SCOPE)}, for example row.{name}")
    return expression


Scoped = Annotated[Expression, BeforeValidator(_scoped)]


def _plain(value: Any) -> Any:
    """YAML reads 2026-01-31 as a date."""
    return value.isoformat() if isinstance(value, date) else value


Constant = Annotated[str | int | float | bool, BeforeValidator(_plain)]


class Value(_Part):
    """Where a value comes from: `path` or `constant`. `map` translates what was found; what it does not name is an error,
    unless `default` is given. `scale` multiplies a number. In place of all this a text stands for its path."""

    path: Scoped | None = None
    constant: Constant | None = None
    map: dict[str, Constant] | None = None
    default: Constant | None = None
    scale: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _one_origin(self) -> Value:
        if (self.path is None) == (self.constant is None):
            raise ValueError("expected either path or constant")
        return self

    def of(self, scope: Any) -> Any:
        """The value on a row; None where there is none. ValueError where `map` does not know it."""
        if self.path is None:
            return self.constant
        found = self.path.of(scope)
        if found is None:
            return self.default
        if self.map is None:
            return found
        if str(found) in self.map:
            return self.map[str(found)]
        if self.default is not None:
            return self.default
        raise ValueError(f"{str(found)[:80]!r} is none of {', '.join(self.map)}")


Spec = Annotated[Value, BeforeValidator(lambda spec: {"path": spec} if isinstance(spec, str) else spec)]


class Fields(_Part):
    """The parts of an observation. Without `venue` it is unknown; without `residual` the catalogue says which owners are buckets."""

    owner: Spec
    value: Spec
    venue: Spec | None = None
    value_p5: Spec | None = None
    value_p95: Spec | None = None
    residual: Spec | None = None
    part: Spec | None = None
    item: Spec | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Fields:
        if (self.value_p5 is None) != (self.value_p95 is None):
            raise ValueError("value_p5 and value_p95 come together or not at all")
        venue = self.venue
        if venue is not None:
            named = [venue.constant, venue.default, *(venue.map or {}).values()]
            unknown = next((name for name in named if name is not None and name not in VENUES), None)
            if unknown is not None:
                raise ValueError(f"venue {unknown!r} is none of {', '.join(VENUES)}")
        return self


class Period(_Part):
    """First and last day, as 2026-01-31; rows of different periods make different releases."""

    start: Spec
    end: Spec


class Items(_Part):
    """What `{item}` in the URL stands for, one request each: a list, or what `path` finds in the document at `url`."""

    names: Annotated[tuple[str, ...] | None, Field(strict=False, min_length=1, max_length=MAX_ITEMS)] = None
    url: str | None = None
    path: Compiled | None = None
    at_most: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = MAX_ITEMS

    @model_validator(mode="after")
    def _one_origin(self) -> Items:
        if (self.names is None) == (self.url is None) or (self.url is None) != (self.path is None):
            raise ValueError("expected either names, or url and path")
        return self


class Fetch(_Part):
    """Which URL the poller asks, how often and how fast.

    `robots`: `ask` reads the publisher's robots.txt first and obeys it; `documented_api` is for a URL that the publisher documents as
    an interface for programs.
    """

    url: str
    items: Items | None = None
    cadence_hours: Annotated[float, Field(gt=0, le=8_784, strict=False)] = 24.0
    max_requests_per_second: Annotated[float, Field(gt=0, le=10, strict=False)] = 1.0
    contact_required: bool = False
    robots: Literal["ask", "documented_api"] = "ask"

    @model_validator(mode="after")
    def _urls_are_urls(self) -> Fetch:
        urls = [self.url, *([self.items.url] if self.items and self.items.url else ())]
        for url in urls:
            if not url.startswith(("http://", "https://")) or not url.partition("://")[2].partition("/")[0]:
                raise ValueError(f"{url!r} is no URL: expected one like https://example.org/data.json")
        if len({url.split("/")[2] for url in urls}) > 1:
            raise ValueError("the items' url and the url are on different servers")
        if ("{item}" in self.url) != (self.items is not None):
            raise ValueError("url has {item} if and only if items defines its values")
        return self


class Mapping(_Part):
    """See the module. `rows` finds the rows of a JSON document (an object or a list of them); a table's rows are its own.

    where           only rows for which it finds something true
    published       when the source published: a day, a time with zone, or milliseconds; of several rows the latest
    duplicates      several rows of one owner, venue, part and item: refuse, sum their values, or take the largest
    wrong_rows      a row that cannot be read: refuse the whole, or drop that row and report it; more than half are always refused
    require_owners  a release without one of them is of partial coverage
    source, licence, method: in place of the catalogue's
    """

    format: Literal["counterpoise-mapping/1"]
    name: Slug
    title: Annotated[str, Field(min_length=1, max_length=300)]
    series: Slug
    fetch: Fetch | None = None
    rows: Compiled | None = None
    where: Scoped | None = None
    fields: Fields
    period: Period
    published: Spec
    duplicates: Literal["refuse", "sum", "largest"] = "refuse"
    wrong_rows: Literal["refuse", "drop"] = "refuse"
    require_owners: Annotated[tuple[str, ...], Field(strict=False)] = ()
    source: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    licence: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    method: Annotated[str, Field(max_length=200)] = ""

    @property
    def assumed_publication(self) -> str:
        """Where the day of publication is not the publisher's word: what it is taken from; else empty."""
        text = "" if self.published.path is None else self.published.path.text
        if text.startswith("file."):
            return "assumed from the time of the file"
        return "assumed from the time of the request" if text.startswith("fetched.") else ""

    @model_validator(mode="after")
    def _fetched_documents_have_rows(self) -> Mapping:
        if self.fetch is not None and self.rows is None:
            raise ValueError("rows is missing: where in the fetched document are they?")
        return self


def constant_day_problem(mapping: Mapping) -> str | None:
    """A period that is written out and is no day; None where all is well."""
    for name, spec in (("start", mapping.period.start), ("end", mapping.period.end)):
        if spec.constant is not None:
            try:
                date.fromisoformat(str(spec.constant))
            except ValueError:
                return f"period.{name}: {spec.constant!r} is no day such as 2026-01-31"
    return None
