"""What a reader may try around the tables that it brings: temporary ones, and external ones of a request."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.contract.engine_clickhouse.reader_corpus import SPELLINGS, TABLE_ARGUMENTS, TEXTS, Trap, call, filled, quote

# Around a reader's temporary tables: where an expression {0} may stand. `mine (a String)` is one that is there.
TEMPORARY: Sequence[str] = (
    "CREATE TEMPORARY TABLE t AS SELECT {0} AS a",
    "CREATE OR REPLACE TEMPORARY TABLE mine AS SELECT {0} AS a",
    "CREATE TEMPORARY TABLE t EMPTY AS SELECT toDateTime(0, (SELECT toString({0}))) AS a",
    "CREATE TEMPORARY TABLE t (a String) AS SELECT {0}",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Memory AS WITH {0} AS x SELECT x",
    "CREATE TEMPORARY TABLE t AS (SELECT 1 AS a) UNION ALL (SELECT length(toString({0})))",
    "CREATE TEMPORARY TABLE t (a String DEFAULT {0})",
    "CREATE TEMPORARY TABLE t (a String MATERIALIZED {0})",
    "CREATE TEMPORARY TABLE t (a String ALIAS {0})",
    "CREATE TEMPORARY TABLE t (a String EPHEMERAL {0})",
    "CREATE TEMPORARY TABLE t (a String CODEC(ZSTD({0})))",
    "CREATE TEMPORARY TABLE t (a DateTime DEFAULT now() TTL a + length(toString({0})))",
    "CREATE TEMPORARY TABLE t (a String, CONSTRAINT c CHECK {0} != '')",
    "CREATE TEMPORARY TABLE t (a String, INDEX i {0} TYPE minmax)",
    "CREATE TEMPORARY TABLE t (a String, PROJECTION p (SELECT {0} ORDER BY a))",
    "CREATE TEMPORARY TABLE t (a Enum('x' = {0}))",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Memory COMMENT {0}",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = MergeTree ORDER BY {0}",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Executable({0}, 'CSV')",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Memory SETTINGS max_rows_to_keep = 1 AS SELECT {0}",
    "CREATE TEMPORARY VIEW t AS SELECT {0}",
    "INSERT INTO mine SELECT {0}",
    "INSERT INTO mine (a) WITH {0} AS x SELECT x",
    "WITH {0} AS x INSERT INTO mine SELECT x",
    "INSERT INTO mine SELECT a FROM mine WHERE ignore({0})",
    "INSERT INTO mine SELECT if(getSetting('readonly') = 1, toString({0}), '')",
    "INSERT INTO mine VALUES ({0})",
    "INSERT INTO mine (a) VALUES ('x'), ({0})",
    "INSERT INTO mine VALUES ('x' || {0})",
    "INSERT INTO mine VALUES ((SELECT {0}))",
    "INSERT INTO mine FORMAT Values ({0})",
    "INSERT INTO mine SETTINGS input_format_values_interpret_expressions = 1 VALUES ({0})",
    "INSERT INTO mine SETTINGS input_format_values_deduce_templates_of_expressions = 1 VALUES ({0})",
    "INSERT INTO FUNCTION null('a String') SELECT {0}",
    "INSERT INTO mine SELECT a FROM input('a String DEFAULT {0}') FORMAT CSV",
    "EXPLAIN CREATE TEMPORARY TABLE t AS SELECT {0} AS a",
    "EXPLAIN SYNTAX INSERT INTO mine SELECT {0}",
    "ALTER TABLE mine UPDATE a = {0} WHERE 1",
    "ALTER TABLE mine ADD COLUMN b String DEFAULT {0}",
    "DELETE FROM mine WHERE {0} != ''",
    "SELECT a, {0} FROM mine",
    "SELECT * FROM mine WHERE a IN (SELECT {0})",
    "DESCRIBE (SELECT a, {0} FROM mine)",
)
# Where a table expression {0} may stand.
TEMPORARY_TABLES: Sequence[str] = (
    "CREATE TEMPORARY TABLE t AS SELECT * FROM {0}",
    "CREATE OR REPLACE TEMPORARY TABLE mine AS SELECT * FROM {0}",
    "CREATE TEMPORARY TABLE t AS {0}",
    "CREATE TEMPORARY TABLE t EMPTY AS SELECT * FROM {0}",
    "CREATE TEMPORARY TABLE t (a String) AS SELECT * FROM {0}",
    "INSERT INTO mine SELECT * FROM {0}",
    "INSERT INTO mine SELECT toString(count()) FROM mine, {0} AS t",
    "INSERT INTO FUNCTION {0} SELECT a FROM mine",
    "INSERT INTO FUNCTION {0} VALUES ('x')",
    "INSERT INTO TABLE FUNCTION {0} FORMAT CSV x",
    "SELECT * FROM mine JOIN {0} AS t ON 1 = 1",
)
# Statements about tables as wholes.
TEMPORARY_STATEMENTS: Sequence[str] = (
    "CREATE TEMPORARY TABLE t (a String) ENGINE = File('CSV', '{path}')",
    "CREATE TEMPORARY TABLE t ENGINE = File('CSV', '{path}')",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = URL('http://127.0.0.1:{port}/', 'CSV')",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = MySQL('127.0.0.1:{port}', 'a', 'b', 'c', 'd')",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Distributed('default', 'system', 'processes')",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Merge('system', 'processes')",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Buffer('system', 'one', 1, 1, 1, 1, 1, 1, 1)",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Dictionary('d')",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Null",
    "CREATE TEMPORARY TABLE t (a String) ENGINE = Memory() PARTITION BY a",
    "CREATE TEMPORARY TABLE t AS system.processes",
    "CREATE TEMPORARY TABLE t AS counterpoise_overlay.`{path}`",
    "CREATE TEMPORARY TABLE t CLONE AS system.one",
    "CREATE TEMPORARY TABLE system.t (a String)",
    "CREATE TEMPORARY TABLE counterpoise_overlay.`{out}` (a String)",
    "CREATE TEMPORARY DICTIONARY t (a UInt64) PRIMARY KEY a SOURCE(FILE(path '{path}' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE TABLE t (a String) ENGINE = Memory",
    "REPLACE TABLE t (a String) ENGINE = Memory",
    "ATTACH TEMPORARY TABLE t FROM '{path}' (a String)",
    "INSERT INTO mine FROM INFILE '{path}' FORMAT CSV",
    "INSERT INTO mine FROM INFILE '{path}' COMPRESSION 'none' FORMAT LineAsString",
    "INSERT INTO mine SETTINGS format_schema = '{path}' FORMAT CSV x",
    "INSERT INTO mine SETTINGS readonly = 0 VALUES ('x')",
    "INSERT INTO mine FORMAT Template x",
    "INSERT INTO mine FORMAT CapnProto x",
    "INSERT INTO system.one VALUES (1)",
    "INSERT INTO counterpoise_overlay.`{out}` VALUES ('x')",
    "INSERT INTO counterpoise_overlay.`{out}` SELECT 'x'",
    "INSERT INTO mine SELECT * FROM counterpoise_overlay.`{path}`",
    "INSERT INTO mine SELECT query FROM system.processes",
    "INSERT INTO mine WATCH mine",
    "SELECT a FROM mine INTO OUTFILE '{out}'",
    "CREATE TEMPORARY TABLE t AS SELECT 1 AS a INTO OUTFILE '{out}'",
    "BACKUP TEMPORARY TABLE mine TO File('{out}')",
    "BACKUP TABLE mine TO File('{out}')",
    "DROP TABLE system.one",
    "DROP DATABASE default",
    "DROP DICTIONARY mine",
    "DROP TABLE mine ON CLUSTER default",
    "DROP TABLE mine, system.one",
    "DETACH TABLE mine",
    "RENAME TABLE mine TO reader_made",
    "EXCHANGE TABLES mine AND reader_made",
    "TRUNCATE DATABASE default",
    "OPTIMIZE TABLE mine",
)
# The structure of an external table, or of one of its columns.
EXTERNAL: Sequence[str] = (
    *(
        "a String DEFAULT {0}",
        "a String ALIAS {0}",
        "a String MATERIALIZED {0}",
        "a DEFAULT {0}",
        "a String EPHEMERAL {0}",
    ),
    *("a String CODEC(ZSTD({0}))", "a DateTime TTL {0}", "a String, CONSTRAINT c CHECK {0} != ''", "a Enum('x' = {0})"),
    *("a String, INDEX i {0} TYPE minmax", "a String, PROJECTION p (SELECT {0} ORDER BY a)", "a String PRIMARY KEY"),
    "a String) ENGINE = File('CSV', '{path}') AS SELECT ({0}",
    "a String) ENGINE = File('CSV', '{path}') --",
    "a String) AS SELECT {0}; SELECT (1",
)


def about_temporary(
    trap: Trap, functions: Sequence[str], table_functions: Sequence[str], *, seed: int, count: int
) -> Iterator[str]:
    """`count` statements about temporary tables, all of which must be refused; each shape comes first with `file`."""
    chance = random.Random(seed)
    shapes = [*TEMPORARY, *TEMPORARY_TABLES, *TEMPORARY_STATEMENTS]
    for number in range(count):
        shape = shapes[number] if number < len(shapes) else chance.choice(shapes)
        name = "file" if number < len(shapes) or chance.random() < 0.3 else chance.choice(functions)
        expression = f"file({quote(str(trap.secret))})" if number < len(shapes) else call(name, trap, chance)
        if shape in TEMPORARY_TABLES:
            arguments = filled(chance.choice(TABLE_ARGUMENTS), trap, chance, chance.choice(TEXTS)(str(trap.secret)))
            expression = f"{chance.choice(SPELLINGS)(chance.choice(table_functions), chance)}({arguments})"
        tail = chance.choice(("", "", ";", " -- end", " /* /* end */ */")) if number >= len(shapes) else ""
        yield filled(shape.replace("{0}", expression) + tail, trap, chance)


def structures(trap: Trap, functions: Sequence[str], *, seed: int, count: int) -> Iterator[str]:
    """`count` structures of external tables, all of which must be refused."""
    chance = random.Random(seed)
    for number in range(count):
        shape = EXTERNAL[number % len(EXTERNAL)]
        name = "file" if number < len(EXTERNAL) else chance.choice(functions)
        yield filled(shape.replace("{0}", call(name, trap, chance)), trap, chance)
