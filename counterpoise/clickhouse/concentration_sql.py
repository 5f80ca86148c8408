"""The SQL that follows from the metric specs: views over the stored integers, the table of newest rows and its views, the daily view.

Pure: specs in, text out. `generate.py` writes the texts to `sql/`, where readers see them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from counterpoise.metrics.spec import GROUPS, Group, MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS, group_of
from counterpoise.metrics.sql_terms import SQL_TERMS, terms_of
from counterpoise.windows import LEADERS, ONE_SERIES, VIEWS

WRITTEN: Final = "-- Written by `make generate` from "
"""How the first line of every generated file begins."""
MARK: Final = f"{WRITTEN}the metric specs and counterpoise/windows.py; edit those."

_GROUP_TITLES: Final[dict[Group, str]] = {
    "shares": "What the largest hold: shares with their bounds and intervals",
    "dispersion": "How the blocks spread over all pools: indices, effective numbers, entropy, inequality",
    "risk": "What a few could do together",
}

_RANKS: Final = ("largest", "second largest", "third largest", "fourth largest", "fifth largest", "sixth largest")
_LEADERS_TYPE: Final = "Array(Tuple(pool String, blocks UInt16))"
_VIEW_ENUM: Final = "Enum8(" + ", ".join(f"'{view}' = {code}" for code, view in enumerate(VIEWS)) + ")"
_CURRENT: Final = "(attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a view; `sql` over a row of `concentration_log`, its own name where that is empty."""

    name: str
    type: str
    comment: str
    sql: str = ""

    @property
    def expression(self) -> str:
        return f"{self.sql} AS {self.name}" if self.sql and self.sql != self.name else self.name

    @property
    def declaration(self) -> str:
        return f"{self.name} {self.type} COMMENT '{self.comment}'"


_TIP: Final = "toInt64(transform(toString(chain), tips.1, tips.2, toUInt32(0)))"

_KEY: Final = (
    _Column("attribution_id", "LowCardinality(String)", "Attribution set that the row rests on"),
    _Column("chain", "LowCardinality(String)", "Chain"),
    _Column("view", _VIEW_ENUM, "raw: pools; entity: owners and proxies according to the dated map"),
    _Column("window_blocks", "UInt16", "Length of the trailing window in blocks"),
    _Column("height", "UInt32", "Height of the last block of the window"),
    _Column("tip_hash", "String", "Hash of the last block of the window, hexadecimal", "lower(hex(r.tip_hash))"),
    _Column("time", "DateTime64(3, 'UTC')", "Header time of the last block of the window"),
)
_STANDING: Final = (
    _Column(
        "confirmations",
        "UInt32",
        "Blocks from this height up to the tip of the chain, both included; 1 at the tip",
        f"toUInt32(greatest({_TIP} - height + 1, 1))",
    ),
    _Column(
        "provisional",
        "Bool",
        "True below 6 confirmations: a reorganisation may still undo it",
        f"toBool({_TIP} - height < 5)",
    ),
)
_COUNTS: Final = (
    _Column("n", "UInt16", "Blocks in the window"),
    _Column("unknown", "UInt16", "Blocks of the window without a known producer; in n, in no pool"),
    _Column("window_full", "Bool", "True where n equals window_blocks"),
    _Column("pools_seen", "UInt16", "Different pools (or entities) with at least one block in the window"),
)
_LEADERS: Final = (
    _Column(
        "leaders",
        _LEADERS_TYPE,
        "The largest pools (or entities), at most six, with their blocks, largest first",
        # The cast names the parts: leaders.pool is asked for by name.
        "CAST(arrayMap(\n"
        "        leader -> (transform(cityHash64(toString(attribution_id), toUInt8(view), leader.1), names.1, names.2, ''), leader.2),\n"
        f"        arrayFilter(leader -> leader.2 > 0, [{', '.join(f'(l{k}, c{k})' for k in range(1, LEADERS + 1))}])\n"
        f"    ), '{_LEADERS_TYPE}')",
    ),
    *(_Column(f"c{rank}", "UInt16", f"Blocks of the {_RANKS[rank - 1]} pool") for rank in range(1, LEADERS + 1)),
)
_SUMS: Final = (
    _Column("s2", "UInt64", "Sum over the pools of count squared"),
    _Column("s3", "UInt64", "Sum over the pools of count cubed"),
    _Column("s4", "UInt64", "Sum over the pools of count to the fourth"),
    _Column("gini_num", "Int64", "Numerator of the Gini coefficient"),
    _Column("sum_c_ln_c", "Float64", "Sum over the pools of c ln c"),
)
_VERSION: Final = (_Column("version", "UInt64", "Version of the row: epoch of the writer and its sequence"),)


def _metric(spec: MetricSpec) -> _Column:
    return _Column(spec.name, spec.type, spec.comment, spec.sql)


def _wide(specs: Mapping[str, MetricSpec]) -> list[_Column]:
    metrics = [_metric(spec) for spec in specs.values()]
    return [*_KEY, *_STANDING, *_COUNTS, *_LEADERS, *metrics, *_SUMS, *_VERSION]


def _narrow(group: Group, specs: Mapping[str, MetricSpec]) -> list[_Column]:
    """The columns of one group; who leads is asked for with the shares."""
    leaders = _LEADERS[:1] if group == "shares" else ()
    return [*_KEY, *_STANDING, *_COUNTS, *leaders, *(_metric(spec) for spec in group_of(group, specs))]


def newest_columns(specs: Mapping[str, MetricSpec] = SPECS) -> list[tuple[str, str, str]]:
    """(name, type, comment) of the columns of `concentration_latest_log` that readers see."""
    return [(one.name, one.type, one.comment) for one in _wide(specs) if one not in _STANDING]


def _declared(columns: Sequence[_Column]) -> str:
    return "(\n" + ",\n".join(f"    {column.declaration}" for column in columns) + "\n)"


def _from_integers(
    name: str, columns: Sequence[_Column], where: str, comment: str, note: str, *, declare: bool = True
) -> str:
    """A view that computes its columns from `concentration_log`, with all formulas in one step: each subquery would be planned.

    A condition on the key may be judged before FINAL has merged the rows of a key, because all of them share it: hence the setting.
    """
    expressions = [column.sql for column in columns if column.sql]
    terms = [f"    {SQL_TERMS[term]} AS {term}" for term in terms_of(expressions)]
    if any("tips." in sql for sql in expressions):
        terms.insert(0, "    (SELECT (groupArray(toString(chain)), groupArray(height)) FROM chain_tips_log) AS tips")
    if any("names." in sql for sql in expressions):
        terms.insert(0, "    (SELECT (keys, slugs) FROM pool_keys_log) AS names")
    heading = f"\n{_declared(columns)}" if declare else ""
    selected = ",\n".join(f"    {column.expression}" for column in columns)
    return (
        f"{MARK}\n{note}CREATE OR REPLACE VIEW {name}{heading}\nAS WITH\n"
        + ",\n".join(terms)
        + f"\nSELECT\n{selected}\n"
        f"FROM (SELECT * FROM concentration_log FINAL WHERE {where} SETTINGS optimize_move_to_prewhere_if_final = 1) AS r\n"
        f"COMMENT '{comment}';\n"
    )


_FORMULAS: Final = "-- Lower bounds keep unknown in the denominator; what speaks of a distribution over pools leaves it out. NaN is undefined: 0 of 0.\n"


def concentration_view(specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """The wide view of the current set."""
    comment = (
        "Pool concentration of each trailing window at each height of the best chain, under the current attribution set"
    )
    return _from_integers("concentration", _wide(specs), _CURRENT, comment, _FORMULAS)


def concentration_of_view(specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """The wide view of any set."""
    comment = "As concentration, under the set that the parameter attribution_id names: recomputes what an old alert rested on"
    where = "attribution_id = {attribution_id:String}"
    return _from_integers("concentration_of", _wide(specs), where, comment, _FORMULAS, declare=False)


def group_view(group: Group, specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """The narrow view of one group: its plan does not grow with the metrics of the others."""
    comment = f"{_GROUP_TITLES[group]}, of each trailing window at each height; the other metrics are in concentration"
    return _from_integers(f"concentration_{group}", _narrow(group, specs), _CURRENT, comment, _FORMULAS)


def latest_table(specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """The table of newest rows: every metric stored, so that reading it computes nothing."""
    columns = newest_columns(specs)
    declared = [f"    {name} {kind} COMMENT '{comment}'" for name, kind, comment in columns]
    return (
        f"{MARK}\n"
        "-- The newest row of each series with its metrics. The streams worker writes it beside concentration_log.\n"
        "-- Written by: streams\n"
        "-- ORDER BY: one row a series; the next height replaces it.\n"
        "CREATE TABLE IF NOT EXISTS concentration_latest_log\n(\n" + ",\n".join(declared) + "\n)\n"
        "ENGINE = ReplacingMergeTree(version)\n"
        "ORDER BY (attribution_id, chain, view, window_blocks)\n"
        "COMMENT 'The newest row of each attribution set, chain, view and window. Read the view latest_concentration';\n"
    )


def _of_newest(name: str, columns: Sequence[_Column], comment: str) -> str:
    standing = {"confirmations": "toUInt32(1)", "provisional": "toBool(1)"}
    selected = ", ".join(
        f"{standing[column.name]} AS {column.name}" if column.name in standing else column.name for column in columns
    )
    return (
        f"{MARK}\nCREATE OR REPLACE VIEW {name}\n{_declared(columns)}\n"
        f"AS SELECT {selected}\nFROM concentration_latest_log FINAL\nWHERE {_CURRENT}\n"
        f"ORDER BY chain, view, window_blocks\nCOMMENT '{comment}';\n"
    )


def latest_view(specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """The newest row of every series, wide."""
    return _of_newest(
        "latest_concentration", _wide(specs), "The newest row of concentration for each chain, view and window"
    )


def latest_group_view(group: Group, specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """The newest row of every series, one group."""
    comment = f"{_GROUP_TITLES[group]}, in the newest window of each chain, view and length"
    return _of_newest(f"latest_{group}", _narrow(group, specs), comment)


def fill_latest(specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """The statement that writes the newest rows from `concentration_log`: after an upgrade, before the worker writes its own.

    A reorganisation leaves tombstones, so the newest row that stands may lie below the newest height that was ever written.
    """
    columns = [column for column in _wide(specs) if column not in _STANDING]
    expressions = [column.sql for column in columns if column.sql]
    terms = ["    (SELECT (keys, slugs) FROM pool_keys_log) AS names"]
    terms += [f"    {SQL_TERMS[term]} AS {term}" for term in terms_of(expressions)]
    names = ", ".join(column.name for column in columns)
    selected = ",\n".join(f"    {column.expression}" for column in columns)
    key = "attribution_id, chain, view, window_blocks"
    return (
        f"INSERT INTO concentration_latest_log ({names})\nWITH\n" + ",\n".join(terms) + f"\nSELECT\n{selected}\n"
        f"FROM (SELECT * FROM concentration_log FINAL WHERE ({key}, height) IN\n"
        f"    (SELECT {key}, max(height) FROM concentration_log FINAL GROUP BY {key})) AS r"
    )


def one_series_view() -> str:
    """Every scored height once."""
    return (
        f"{MARK}\n-- All views and windows of a height are written in one insert, so one series stands for all.\n"
        "CREATE OR REPLACE VIEW scored_heights_log\nAS SELECT attribution_id, chain, height, tip_hash, time, version\n"
        f"FROM concentration_log FINAL\nWHERE {ONE_SERIES}\n"
        "COMMENT 'Every height that has concentration, once for each attribution set; internal';\n"
    )


def generated_files(specs: Mapping[str, MetricSpec] = SPECS) -> dict[str, str]:
    """Path under `sql/` → text of every generated file."""
    files = {
        "tables/concentration_latest_log.sql": latest_table(specs),
        "views/concentration.sql": concentration_view(specs),
        "views/concentration_of.sql": concentration_of_view(specs),
        "views/latest_concentration.sql": latest_view(specs),
        "views/scored_heights_log.sql": one_series_view(),
    }
    for group in GROUPS:
        files[f"views/concentration_{group}.sql"] = group_view(group, specs)
        files[f"views/latest_{group}.sql"] = latest_group_view(group, specs)
    return files
