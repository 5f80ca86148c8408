"""What a reader's statement may do, judged on the engine's own syntax tree. Everything here is a list of what is allowed.

A tree is what `parseQueryToJSON` returns for the very text that runs afterwards. A kind of node, a function, a table
function, a setting, a format, a table of `system` or an engine that is in no list is refused (READONLY, 164).
"""

# ruff: noqa: SIM905 - words in a block can be read

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.reader_functions import AGGREGATES, FUNCTIONS

Tree = dict[str, Any]

SELECTS: Final = frozenset({"SelectWithUnionQuery", "SelectIntersectExceptQuery"})
STATEMENTS: Final = SELECTS | {"ExplainQuery", "ShowTablesQuery", "ShowColumnsQuery", "ShowIndexesQuery"}
_NODES: Final = STATEMENTS | frozenset(
    """
    ArrayJoin Asterisk ColumnsApplyTransformer ColumnsExceptTransformer ColumnsListMatcher ColumnsRegexpMatcher
    ColumnsReplaceTransformer ColumnsReplaceTransformerReplacement ColumnsTransformerList DataType ExpressionList
    Function Identifier InterpolateElement Literal OrderByElement QualifiedAsterisk QualifiedColumnsListMatcher
    QualifiedColumnsRegexpMatcher QueryParameter SampleRatio SelectQuery Subquery TableExpression TableIdentifier
    TableJoin TablesInSelectQuery TablesInSelectQueryElement WindowDefinition WindowListElement WithElement
    """.split()
)
COMBINATORS: Final = (
    *("SimpleState", "OrDefault", "Distinct", "Resample", "ForEach", "ArgMax", "ArgMin", "OrNull"),
    *("Tuple", "Merge", "State", "Array", "Null", "Map", "If"),
)
# What the parser or the analyzer takes for a function, and `system.functions` does not list.
_SYNTAX: Final = frozenset({"lambda", "exists", "grouping", "untuple"})
_FUNCTIONS: Final = frozenset(name.lower() for name in FUNCTIONS) | _SYNTAX
_AGGREGATES: Final = frozenset(name.lower() for name in AGGREGATES)

TABLE_FUNCTIONS: Final = frozenset(
    (
        *("numbers", "numbers_mt", "zeros", "zeros_mt", "generateSeries", "generate_series", "primes"),
        *("values", "SQLStandardValues", "null", "generateRandom", "view", "merge"),
    )
)
_TABLE_FUNCTIONS: Final = frozenset(name.lower() for name in TABLE_FUNCTIONS)
_STRUCTURED: Final = frozenset({"values", "null", "generaterandom"})
# A column's declaration in a string is SQL of its own; each expression in it stands behind one of these.
_EXPRESSION_WORDS: Final = ("DEFAULT", "MATERIALIZED", "ALIAS", "EPHEMERAL")

DATABASE_ENGINES: Final = frozenset({"Atomic", "Memory", "Ordinary", "Replicated"})
TABLE_ENGINES: Final = frozenset(
    (
        *("Memory", "Log", "TinyLog", "StripeLog", "Set", "Join", "Null", "View", "MaterializedView", "GenerateRandom"),
        *(
            replicated + kind + "MergeTree"
            for replicated in ("", "Replicated")
            for kind in (
                *("", "Replacing", "Summing", "Aggregating", "Collapsing", "VersionedCollapsing", "Coalescing"),
                "Graphite",
            )
        ),
    )
)
SYSTEM_TABLES: Final = frozenset(
    """
    one numbers numbers_mt zeros zeros_mt primes
    databases tables columns parts parts_columns projections projection_parts data_skipping_indices constraints
    dictionaries merges mutations moves view_refreshes detached_tables
    functions table_functions aggregate_function_combinators data_type_families table_engines database_engines formats
    collations time_zones keywords codecs completions documentation unicode tokenizers dictionary_layouts
    settings merge_tree_settings settings_changes settings_profiles settings_profile_elements contributors licenses build_options
    metrics events asynchronous_metrics errors current_roles enabled_roles roles quotas quota_usage quota_limits clusters macros
    """.split()
)

FORMATS_REFUSED: Final = frozenset(
    {"AvroConfluent", "Protobuf", "ProtobufList", "ProtobufSingle", "CapnProto", "Template", "Npy"}
)
"""Output formats that take a schema from a file or an address; readers get every other one that the engine has."""

DATA_FORMATS: Final = frozenset(
    """
    TabSeparated TSV TabSeparatedRaw TSVRaw TabSeparatedWithNames TSVWithNames TabSeparatedRawWithNames TSVRawWithNames
    TabSeparatedWithNamesAndTypes TSVWithNamesAndTypes TabSeparatedRawWithNamesAndTypes TSVRawWithNamesAndTypes
    CSV CSVWithNames CSVWithNamesAndTypes TSKV LineAsString RawBLOB
    JSONEachRow JSONLines JSONL NDJSON JSONStringsEachRow JSONCompactEachRow JSONCompactEachRowWithNames
    JSONCompactEachRowWithNamesAndTypes JSONCompactStringsEachRow JSON JSONCompact JSONColumns JSONAsString
    Native RowBinary RowBinaryWithNames RowBinaryWithNamesAndTypes Parquet Arrow ArrowStream ORC Avro MsgPack BSONEachRow
    """.split()
)
"""Input formats of tables that come along: values only. `Values` computes expressions, and others read a schema elsewhere."""

SETTINGS: Final = frozenset(
    """
    max_result_rows max_result_bytes result_overflow_mode max_execution_time max_block_size
    join_use_nulls group_by_use_nulls aggregate_functions_null_for_empty union_default_mode final extremes
    prefer_column_name_to_alias session_timezone date_time_input_format date_time_output_format date_time_overflow_behavior
    format_csv_delimiter format_csv_null_representation format_tsv_null_representation
    output_format_csv_crlf_end_of_line output_format_tsv_crlf_end_of_line
    output_format_decimal_trailing_zeros output_format_float_precision output_format_write_statistics
    output_format_json_quote_64bit_integers output_format_json_quote_64bit_floats output_format_json_quote_denormals
    output_format_json_quote_decimals output_format_json_escape_forward_slashes output_format_json_array_of_rows
    output_format_json_named_tuples_as_objects output_format_json_validate_utf8 output_format_json_pretty_print
    output_format_json_map_as_array_of_tuples output_format_json_skip_null_value_in_named_tuples
    output_format_pretty_max_rows output_format_pretty_max_column_pad_width output_format_pretty_max_value_width
    output_format_pretty_color output_format_pretty_grid_charset output_format_pretty_row_numbers
    output_format_pretty_display_footer_column_names output_format_pretty_highlight_digit_groups
    output_format_arrow_low_cardinality_as_dictionary output_format_arrow_string_as_string
    output_format_arrow_fixed_string_as_fixed_byte_array output_format_arrow_compression_method
    output_format_parquet_string_as_string output_format_parquet_compression_method output_format_parquet_row_group_size
    output_format_values_escape_quote_with_quote output_format_enable_streaming
    network_compression_method network_zstd_compression_level
    """.split()
)
"""Settings that a reader may change: they shape the answer, and reach no file, address or program."""


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What names mean in this engine, now. `outside_*` are databases and tables whose engine is not allowed, and the
    views that mention one."""

    database: str
    functions: frozenset[str]
    outside_databases: frozenset[str] = frozenset()
    outside_tables: frozenset[str] = frozenset()
    system_tables: frozenset[str] = frozenset()
    table_functions: frozenset[str] = frozenset()
    temporary_tables: frozenset[str] = field(default=frozenset())


MAX_SQL_CHARS: Final = 200_000
"""Below the engine's own max_query_size (262,144 bytes), also after the engine has written the statement anew."""


def refused(what: str) -> ServerError:
    return ServerError(164, f"Cannot execute query in readonly mode: {what} is not for readers.")


def judge(tree: Tree, catalogue: KnownNames) -> None:
    """Raise READONLY (164) for a statement that is not in every respect on the lists."""
    if tree.get("type") not in STATEMENTS:
        raise refused(f"a statement of this kind ({tree.get('type')})")
    _Judge(tree, catalogue).node(tree)


def judge_table(parts: list[str], catalogue: KnownNames) -> None:
    """Raise READONLY (164) for a table, by its name's parts, that is not for readers."""
    _Judge({}, catalogue).table(parts)


def nodes(tree: object) -> Iterator[Tree]:
    """Every node of a tree."""
    left = [tree]
    while left:
        found = left.pop()
        if isinstance(found, dict):
            if "type" in found:
                yield found
            left += found.values()
        elif isinstance(found, list):
            left += found


class _Judge:
    def __init__(self, tree: Tree, catalogue: KnownNames) -> None:
        self._catalogue = catalogue
        self._lambdas = set()
        self._local_tables = set(catalogue.temporary_tables)
        for node in nodes(tree):
            if node["type"] == "Function" and node.get("name") == "lambda" and "alias" in node:
                self._lambdas.add(node["alias"])
            elif node["type"] == "WithElement":
                self._local_tables.add(node["name"])

    def node(self, tree: Tree) -> None:
        left: list[object] = [tree]
        while left:
            found = left.pop()
            if isinstance(found, dict):
                left += self._one(found) if "type" in found else list(found.values())
            elif isinstance(found, list):
                left += found

    def _one(self, node: Tree) -> list[object]:
        """Judge one node; what is below it and still has to be judged."""
        kind = node["type"]
        if kind not in _NODES:
            raise refused(f"a clause of this kind ({kind})")
        if kind == "Literal":
            return []
        if any(key in node for key in ("out_file", "format_ast", "settings_ast")):
            raise refused("INTO OUTFILE, FORMAT or SETTINGS inside of a statement")
        if kind == "Function":
            self._function(node["name"])
        elif kind == "ColumnsApplyTransformer":
            if node.get("func_name"):
                self._function(node["func_name"])
        elif kind == "QueryParameter":
            if "Identifier" in node["param_type"]:
                raise refused("a parameter of type Identifier")
        elif kind == "Identifier":
            self._identifier(_parts(node))
        elif kind == "TableIdentifier":
            self.table(_parts(node))
        elif kind == "TableExpression":
            return self._table_expression(node)
        elif kind == "ExplainQuery":
            return [value for key, value in node.items() if key not in ("type", "settings")]
        elif kind == "ShowTablesQuery":
            if node.keys() & {"caches", "cluster"}:
                raise refused("SHOW of caches and of one cluster")
        elif kind in ("ShowColumnsQuery", "ShowIndexesQuery"):
            self.table([name for key in ("database", "table") if (name := _name(node.get(key)))])
        return [value for key, value in node.items() if key != "type"]

    # ---- names

    def _function(self, name: str) -> None:
        if not (_may_call(name) or (name in self._lambdas and name.lower() not in self._catalogue.functions)):
            raise refused(f"the function {name}")

    def _identifier(self, parts: list[str]) -> None:
        """A column, an alias, or what may stand in a column's place: a function for a lambda, a table behind IN."""
        if len(parts) == 1:
            name = parts[0]
            if name.lower() in self._catalogue.functions and not _may_call(name):
                raise refused(f"the function {name}")
            if self._catalogue.database == "system" and name in self._catalogue.system_tables - SYSTEM_TABLES:
                raise refused(f"the table system.{name}")
        elif parts[0] == "system" and parts[1] in self._catalogue.system_tables - SYSTEM_TABLES:
            raise refused(f"the table system.{parts[1]}")
        if parts[0] in self._catalogue.outside_databases:
            raise refused(f"the database {parts[0]}")
        for part in parts[:2]:
            if part in self._catalogue.outside_tables:
                raise refused(f"the table {part}")

    def table(self, parts: list[str]) -> None:
        if len(parts) == 1 and parts[0] in self._local_tables:
            return
        database, name = (self._catalogue.database, parts[0]) if len(parts) == 1 else (parts[0], parts[1])
        if database == "system" and name not in SYSTEM_TABLES:
            raise refused(f"the table system.{name}")
        if database in self._catalogue.outside_databases:
            raise refused(f"the database {database}, which has tables of another kind,")
        if name in self._catalogue.outside_tables:
            raise refused(f"the table {name}")

    def _table_expression(self, node: Tree) -> list[object]:
        below = [value for key, value in node.items() if key not in ("type", "table_function")]
        function = node.get("table_function")
        if function is None:
            return below
        if function.get("type") != "Function":
            raise refused("a table function of this kind")
        name = function["name"].lower()
        arguments = function.get("arguments", {}).get("children", [])
        if name in _STRUCTURED:
            self._structure(arguments)
        elif name == "merge":
            self._merge(arguments)
        elif name not in _TABLE_FUNCTIONS and name in self._catalogue.table_functions:
            raise refused(f"the table function {function['name']}")
        elif name not in _TABLE_FUNCTIONS:
            # Not a table function: the engine looks for a view with parameters.
            self.table(function["name"].split("."))
        return [*below, *(value for key, value in function.items() if key not in ("type", "name"))]

    def _structure(self, arguments: list[Tree]) -> None:
        if not arguments:
            return
        first = arguments[0]
        if first.get("type") == "Function" and first.get("name") == "tuple":
            return
        if first.get("type") != "Literal":
            raise refused("a computed structure of a table")
        value = first["value"]
        text = value.get("value") if isinstance(value, dict) else value
        if isinstance(text, str) and any(word in text.upper() for word in _EXPRESSION_WORDS):
            raise refused("an expression in the structure of a table")

    def _merge(self, arguments: list[Tree]) -> None:
        values = [
            argument["value"]["value"]
            for argument in arguments
            if argument.get("type") == "Literal" and argument["value"].get("field_type") == "String"
        ]
        database = values[0] if len(values) == 2 else self._catalogue.database
        closed = {"system", "information_schema"} | self._catalogue.outside_databases
        if len(values) != len(arguments) or not values or database.lower() in closed or self._catalogue.outside_tables:
            raise refused("the table function merge over such tables")


def _may_call(name: str) -> bool:
    return name.lower() in _FUNCTIONS or _is_aggregate(name)


def _is_aggregate(name: str) -> bool:
    if name.lower() in _AGGREGATES:
        return True
    return any(
        name.endswith(combinator) and _is_aggregate(name[: -len(combinator)])
        for combinator in COMBINATORS
        if len(name) > len(combinator)
    )


def _parts(node: Tree) -> list[str]:
    found: list[str] = node.get("name_parts") or [node.get("name", "")]
    return found


def _name(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name", ""))
    return str(value or "")


def cut_output(tree: Tree) -> tuple[Tree, str | None, list[Tree]]:
    """The statement without FORMAT and its outermost SETTINGS; the format's name; the changes of the settings.

    INTO OUTFILE raises 48: it would write a file of this process.
    """
    if "out_file" in tree:
        raise ServerError(48, "INTO OUTFILE is the client's to do; this server does not write result files.")
    rest = {key: value for key, value in tree.items() if key not in ("format_ast", "settings_ast")}
    output_format = _name(tree["format_ast"]) if "format_ast" in tree else None
    changes = changes_of(tree.get("settings_ast"))
    selects = rest.get("list_of_selects", {}).get("children", [])
    if len(selects) == 1 and "settings" in selects[0]:
        select = selects[0]
        changes = [*changes_of(select["settings"]), *changes]
        without = {key: value for key, value in select.items() if key != "settings"}
        rest["list_of_selects"] = {**rest["list_of_selects"], "children": [without]}
    return rest, output_format, changes


def changes_of(node: Tree | None) -> list[Tree]:
    """The settings that a SETTINGS clause changes."""
    if node is None:
        return []
    if node.get("default_settings") or node.get("query_parameters"):
        raise refused("DEFAULT or a parameter in SETTINGS")
    return list(node.get("changes", []))


def value_of(change: Mapping[str, Any]) -> str:
    """The new value of a setting, as text."""
    value = change["value"]
    if not isinstance(value, Mapping) or isinstance(value.get("value"), (dict, list)):
        raise refused(f"a value of this kind for {change['name']}")
    found = value["value"]
    return str(int(found)) if isinstance(found, bool) else str(found)
