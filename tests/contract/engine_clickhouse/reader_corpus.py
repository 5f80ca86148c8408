"""Statements that a reader may try, made by composition: what reaches outside, where it stands, how it is spelled, what follows.

`Trap` is what they reach for: a secret file, a socket that counts its visitors, and paths where nothing may appear.
"""

from __future__ import annotations

import random
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


@dataclass
class Trap:
    """`hits` are the connections that the socket saw."""

    folder: Path
    canary: str = field(default_factory=lambda: "canary" + secrets.token_hex(12))
    hits: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.secret = self.folder / "secret.csv"
        self.secret.write_text(self.canary + "\n")
        (self.folder / "out").mkdir()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self._socket.accept()
            except OSError:
                return
            self.hits.append(address)
            sock.close()

    def close(self) -> None:
        self._socket.close()

    def written(self) -> list[Path]:
        """Files that were written where a statement said so."""
        return sorted((self.folder / "out").iterdir())

    def leaked(self, answer: str) -> bool:
        forms = (self.canary, self.canary[::-1], self.canary.encode().hex(), self.canary.upper())
        return any(form in answer for form in forms)


class Attempt(NamedTuple):
    """`reaches`: it must be refused. False: it is harmless, and is answered. None: what reaches may stand in a comment."""

    sql: str
    reaches: bool | None


def quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SPELLINGS: Sequence[Callable[[str, random.Random], str]] = (
    lambda name, _: name,
    lambda name, _: f"`{name}`",
    lambda name, _: f'"{name}"',
    lambda name, chance: "`" + _escaped(name, chance) + "`",
    lambda name, chance: f'"{_escaped(name, chance)}"',
    lambda name, _: f"{name} /* ' */",
    lambda name, _: f'{name} /* /* ( */ " */',
    lambda name, _: f"{name} -- '\n",
    lambda name, _: f"{name} # `\n",
    lambda name, _: f"{name} #! /*\n",
    lambda name, _: f"{name}\u00a0",
    lambda name, _: f"{name}\u3000\t\r\n",
)


def _escaped(name: str, chance: random.Random) -> str:
    at = chance.randrange(len(name))
    return f"{name[:at]}\\x{ord(name[at]):02x}{name[at + 1 :]}"


TEXTS: Sequence[Callable[[str], str]] = (
    quote,
    lambda text: f"$${text}$$",
    lambda text: f"$x${text}$x$",
    lambda text: "'" + "".join(f"\\x{byte:02x}" for byte in text.encode()) + "'",
    lambda text: f"unhex('{text.encode().hex()}')",
    lambda text: f"concat({quote(text[:5])}, {quote(text[5:])})",
)

# Where an expression {0} may stand.
EXPRESSIONS: Sequence[str] = (
    "SELECT {0}",
    "SELECT 1, ({0}) AS a",
    "SELECT * FROM (SELECT {0} AS a)",
    "SELECT (SELECT {0})",
    "SELECT 1 WHERE ignore({0})",
    "SELECT 1 WHERE 1 IN (SELECT length(toString({0})))",
    "SELECT 1 WHERE EXISTS (SELECT {0})",
    "SELECT 1 UNION ALL SELECT length(toString({0}))",
    "SELECT 1 EXCEPT SELECT length(toString({0}))",
    "WITH {0} AS a SELECT a",
    "WITH (SELECT {0}) AS a SELECT a",
    "WITH a AS (SELECT {0} AS b) SELECT b FROM a",
    "WITH x -> {0} AS f SELECT f(1)",
    "SELECT arrayMap(x -> {0}, [1])",
    "SELECT if(getSetting('readonly') = 0, toString({0}), '')",
    "SELECT if(getSetting('readonly') = 1, toString({0}), '')",
    "SELECT toDateTime(0, if(getSetting('readonly') = 1, 'UTC', (SELECT toString({0}))))",
    "SELECT count() FROM numbers(3) GROUP BY {0}",
    "SELECT number FROM numbers(3) ORDER BY toString({0})",
    "SELECT number FROM numbers(3) LIMIT length(toString({0}))",
    "SELECT sum(number) OVER (PARTITION BY {0}) FROM numbers(3)",
    "SELECT a FROM numbers(2) ARRAY JOIN [{0}] AS a",
    "SELECT 1 FROM numbers(2) AS l JOIN numbers(2) AS r ON l.number = r.number AND ignore({0}) = 0",
    "SELECT sumIf(number, toString({0}) != '') FROM numbers(2)",
    "SELECT throwIf(1, {0})",
    "SELECT * FROM view(SELECT {0})",
    "SELECT * FROM values('a String', {0})",
    "SELECT number FROM numbers(length(toString({0})))",
    "SELECT * REPLACE ({0} AS dummy) FROM system.one",
    "SELECT * APPLY(x -> {0}) FROM system.one",
    "SELECT number FROM numbers(2) QUALIFY ignore({0}) = 0",
    "SELECT CAST({0}, 'String')",
    "SELECT [{0}, {0}][1], tuple({0}).1, map('k', {0})['k']",
    "SELECT CASE WHEN 1 THEN toString({0}) ELSE '' END",
    "FROM numbers(1) SELECT {0}",
    "(SELECT {0})",
    "((SELECT {0}) UNION DISTINCT (SELECT {0}))",
    "EXPLAIN SELECT {0}",
    "EXPLAIN AST SELECT {0}",
    "EXPLAIN SYNTAX SELECT {0}",
    "EXPLAIN QUERY TREE SELECT {0}",
    "EXPLAIN PLAN actions = 1 SELECT {0}",
    "EXPLAIN PIPELINE SELECT {0}",
    "EXPLAIN ESTIMATE SELECT {0}",
    "DESCRIBE (SELECT {0} AS a)",
    "DESC TABLE (SELECT toDateTime(0, (SELECT toString({0}))) AS a)",
    "DESCRIBE view(SELECT {0} AS a)",
)
# Where a function's name alone {0} calls it, on the text {1}.
NAMES: Sequence[str] = (
    "SELECT arrayMap({0}, [{1}])",
    "SELECT * APPLY({0}) FROM (SELECT {1} AS a)",
    "SELECT COLUMNS('a') APPLY {0} FROM (SELECT {1} AS a)",
    "SELECT arrayFilter({0}, [{1}])",
    "WITH {0} AS f SELECT arrayMap(f, [{1}])",
)
# Where a table expression {0} may stand.
TABLES: Sequence[str] = (
    "SELECT * FROM {0}",
    "SELECT * FROM {0} AS t",
    "FROM {0} SELECT *",
    "SELECT count() FROM (SELECT * FROM {0})",
    "SELECT (SELECT count() FROM {0})",
    "WITH t AS (SELECT * FROM {0}) SELECT * FROM t",
    "SELECT 1 FROM numbers(1) JOIN {0} AS t ON 1 = 1",
    "SELECT 1 FROM numbers(1), {0} AS t",
    "SELECT 1 IN (SELECT * FROM {0})",
    "SELECT 1 UNION ALL SELECT 1 FROM {0}",
    "SELECT * FROM view(SELECT * FROM {0})",
    "SELECT if(getSetting('readonly') = 1, '', (SELECT toString(count()) FROM {0}))",
    "DESCRIBE {0}",
    "DESC TABLE {0}",
    "DESCRIBE (SELECT * FROM {0})",
    "EXPLAIN SELECT * FROM {0}",
    "EXPLAIN QUERY TREE SELECT * FROM {0}",
    "EXPLAIN ESTIMATE SELECT * FROM {0}",
    "SELECT * FROM {0} FINAL",
    "SELECT * FROM {0} LIMIT 1 BY 1",
)
TAILS: Sequence[str] = (
    *("", "", "", "", ";", " ;;", " -- end", " /* end */", " FORMAT JSON", " FORMAT TSV SETTINGS max_block_size = 10"),
    *(" SETTINGS max_result_rows = 10", " SETTINGS readonly = 0", " SETTINGS readonly = 2", " FORMAT JSON;"),
    *("\nFORMAT /* /* */ */ JSON", " SETTINGS output_format_schema = '{out}'"),
    *(" INTO OUTFILE '{out}'", " INTO OUTFILE '{out}' FORMAT CSV", " INTO OUTFILE '{out}' AND STDOUT"),
    *("; SELECT 1", "; CREATE TABLE reader_made (a UInt8) ENGINE = Memory", "\x00; SELECT 2"),
)
HARMLESS_TAILS: Sequence[str] = (
    "",
    ";",
    " -- end",
    " /* /* end */ */",
    " FORMAT JSON",
    " SETTINGS max_block_size = 10",
)

# Text is cut off behind the check where a tokenizer does not nest comments as the engine does.
HIDING: Sequence[str] = (
    "SELECT 1 /* /* */ FORMAT /* /* */ TSV SETTINGS */ , {0} -- */",
    "SELECT 1 /* /* */ INTO OUTFILE '{out}' /* */ */, {0}",
    "SELECT 1 /* /* */ FORMAT Null */ */, {0}",
    "SELECT 1 FORMAT TSV /* /* */ , {0} */ SETTINGS /* /* */ max_threads = 1 */ */, {0}",
    "SELECT 1 /* */ /* /* */ -- */\n , {0} */ , {0}",
    "SELECT 1 -- /* \n, {0} -- */",
    "SELECT '/*', {0}, '*/'",
    "SELECT $$/*$$, {0}, $a$*/$a$",
    'SELECT 1 AS "/*", {0} AS "*/"',
    "SELECT 1 AS `--`, {0}",
    "SELECT '\\'' /* ' */, {0}",
    "SELECT '''' /* ' */, {0}",
    "SELECT 1 # /*\n, {0} #*/",
    "SELECT 1 #!/*\n, {0}",
    "SELECT 1 //* /* */ 1, {0}",
    "SELECT 1 -/* -- */ -1, {0}",
)

STRUCTURES: Sequence[str] = ("values", "generateRandom", "null")
STRUCTURE_TEXTS: Sequence[str] = (
    "b String, a String DEFAULT {0}",
    "b String, a String ALIAS {0}",
    "b String, a String MATERIALIZED {0}",
    "b String, a DEFAULT {0}",
    "b String, a String EPHEMERAL {0}",
    "b String, a String default /* */ {0}",
)

STATEMENTS: Sequence[str] = (
    "BACKUP TABLE system.one TO File('{out}')",
    "BACKUP DATABASE default TO Disk('default', '{out}')",
    "RESTORE DATABASE default FROM File('{path}')",
    "INSERT INTO FUNCTION file('{out}', 'CSV', 'a String') SELECT 'x'",
    "INSERT INTO FUNCTION file('{out}', 'CSV', 'a String') VALUES ('x')",
    "INSERT INTO FUNCTION url('http://127.0.0.1:{port}/', 'CSV', 'a String') SELECT 'x'",
    "WITH 1 AS x INSERT INTO FUNCTION file('{out}', 'CSV', 'a UInt8') SELECT x",
    "EXPLAIN INSERT INTO FUNCTION file('{out}', 'CSV', 'a String') SELECT 'x'",
    "CREATE TABLE reader_made (a String) ENGINE = File('CSV', '{path}')",
    "CREATE TABLE reader_made ENGINE = URL('http://127.0.0.1:{port}/', 'CSV') AS SELECT 1",
    "CREATE TEMPORARY TABLE t ENGINE = File(CSV) AS SELECT 1",
    "CREATE VIEW reader_made AS SELECT file('{path}')",
    "CREATE FUNCTION reader_made AS x -> file(x)",
    "CREATE DICTIONARY reader_made (a UInt64) PRIMARY KEY a SOURCE(FILE(path '{path}' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DATABASE reader_made ENGINE = Filesystem('/')",
    "CREATE NAMED COLLECTION reader_made AS a = 1",
    "CREATE USER reader_made",
    "GRANT ALL ON *.* TO default",
    "SET ROLE ALL",
    "SET ROLE counterpoise_owner",
    "SET ROLE DEFAULT",
    "SET DEFAULT ROLE ALL TO default",
    "EXECUTE AS default",
    "EXECUTE AS default SELECT file('{path}')",
    "SET readonly = 0",
    "SET readonly = 2",
    "SET output_format_schema = '{out}'",
    "SET max_execution_time = 1, readonly = 0",
    "SELECT * FROM (EXPLAIN SELECT 1)",
    "SET allow_experimental_eval_table_function = 1",
    "SET format_schema_source = 'string'",
    "SET dialect = 'prql'",
    "KILL QUERY WHERE 1",
    "SYSTEM FLUSH LOGS",
    "SYSTEM SHUTDOWN",
    "SYSTEM RELOAD CONFIG",
    "SYSTEM DROP QUERY CACHE",
    "ATTACH TABLE reader_made FROM '{path}' (a String) ENGINE = Log",
    "DETACH TABLE system.one",
    "OPTIMIZE TABLE system.one",
    "CHECK TABLE system.one",
    "TRUNCATE ALL TABLES FROM default",
    "MOVE USER default TO memory",
    "DROP DATABASE IF EXISTS default",
    "USE counterpoise_overlay",
    "SELECT * FROM counterpoise_overlay.`{path}`",
    "SELECT 1 IN counterpoise_overlay.`{path}`",
    "DESCRIBE counterpoise_overlay.`{path}`",
    "EXISTS TABLE counterpoise_overlay.`{path}`",
    "SHOW CREATE TABLE counterpoise_overlay.`{path}`",
    "SHOW COLUMNS FROM `{path}` FROM counterpoise_overlay",
    "SHOW TABLES FROM counterpoise_overlay",
    "DESCRIBE FILESYSTEM CACHE 'default'",
    "SHOW FILESYSTEM CACHES",
    "SHOW PROCESSLIST",
    "SHOW USERS",
    "SHOW ACCESS",
    "SELECT * FROM system.processes",
    "SELECT * FROM system.server_settings",
    "SELECT * FROM system.users",
    "SELECT * FROM system.named_collections",
    "SELECT * FROM system.stack_trace",
    "SELECT * FROM system.disks",
    "SELECT * FROM merge('system', 'processes')",
    "SELECT * FROM merge('counterpoise_overlay', '.*')",
    "SELECT * FROM merge(REGEXP('.*'), '.*')",
    "EXPLAIN TABLE OVERRIDE mysql('127.0.0.1:{port}', 'a', 'b', 'c', 'd') (a String)",
    "EXPLAIN AST CREATE TABLE reader_made (a UInt8) ENGINE = Memory",
    "?? what is in the file {path}",
    "SELECT 1 PARALLEL WITH SELECT 2",
    "PARALLEL WITH SELECT 1",
    "PREPARE x AS SELECT 1",
    "BEGIN TRANSACTION",
    "COPY (SELECT 1) TO '{out}'",
    "EXPORT TABLE system.one TO '{out}'",
)

TABLE_ARGUMENTS: Sequence[str] = (
    "{text}",
    "{text}, 'CSV', 'a String'",
    "{text}, 'LineAsString'",
    "{text}, 'cat', 'a String'",
    "{text}, 'TSV', 'a String', (SELECT 1)",
    "'http://127.0.0.1:{port}/x.csv'",
    "'http://127.0.0.1:{port}/x.csv', 'CSV', 'a String'",
    "'127.0.0.1:{port}', system.one",
    "'127.0.0.1:{port}', 'system', 'one', 'default', ''",
    "'127.0.0.1:{port}', 'd', 't', 'u', 'p'",
    "'default', '127.0.0.1:{port}', 'x'",
    "system.one",
    "system, one",
    "SELECT 1",
    "'SELECT 1'",
    "",
)
FUNCTION_ARGUMENTS: Sequence[str] = ("{text}", "{text}, 'x'", "'x', {text}", "{text}, 1, 2", "")


def attempts(
    trap: Trap, functions: Sequence[str], table_functions: Sequence[str], *, seed: int, count: int
) -> Iterator[Attempt]:
    """`count` statements. Each function and table function that reaches outside comes first, once in each shape of its call."""
    chance = random.Random(seed)
    made = 0
    for attempt in _every(trap, functions, table_functions, chance):
        if made >= count:
            return
        made += 1
        yield attempt
    while made < count:
        made += 1
        yield _composed(trap, functions, table_functions, chance)


def filled(template: str, trap: Trap, chance: random.Random, text: str = "") -> str:
    out = trap.folder / "out" / f"{chance.randrange(1 << 40)}"
    for name, value in {"path": str(trap.secret), "out": str(out), "port": str(trap.port), "text": text}.items():
        template = template.replace("{" + name + "}", value)
    return template


def _every(
    trap: Trap, functions: Sequence[str], table_functions: Sequence[str], chance: random.Random
) -> Iterator[Attempt]:
    for statement in STATEMENTS:
        yield Attempt(filled(statement, trap, chance), reaches=True)
    for hiding in HIDING:
        yield Attempt(filled(hiding.replace("{0}", call("file", trap, chance)), trap, chance), reaches=None)
    for name in table_functions:
        for arguments in TABLE_ARGUMENTS:
            table = f"{name}({filled(arguments, trap, chance, quote(str(trap.secret)))})"
            yield Attempt(f"{chance.choice(('SELECT * FROM', 'DESCRIBE'))} {table}", reaches=True)
    for name in functions:
        yield Attempt(f"SELECT {call(name, trap, chance)}", reaches=True)
    for place in EXPRESSIONS:
        yield Attempt(place.replace("{0}", f"file({quote(str(trap.secret))})"), reaches=True)
        yield Attempt(place.replace("{0}", "reverse('CTU')") if "throwIf" not in place else "SELECT 1", reaches=False)


def call(name: str, trap: Trap, chance: random.Random) -> str:
    arguments = filled(chance.choice(FUNCTION_ARGUMENTS), trap, chance, chance.choice(TEXTS)(str(trap.secret)))
    return f"{chance.choice(SPELLINGS)(name, chance)}({arguments})"


def _composed(trap: Trap, functions: Sequence[str], table_functions: Sequence[str], chance: random.Random) -> Attempt:
    kind = chance.randrange(20)
    aliases = False
    if kind == 0:
        harmless = chance.choice(
            ("upper('a')", "`upper`('a')", "length($$file('/etc/passwd')$$)", "'file' /* file( */")
        )
        place = chance.choice([place for place in EXPRESSIONS if place.startswith(("SELECT {0}", "WITH", "SELECT ("))])
        return Attempt(place.replace("{0}", harmless) + chance.choice(HARMLESS_TAILS), reaches=False)
    name = "file" if chance.random() < 0.4 else chance.choice(functions)
    if kind < 9:
        sql = chance.choice(EXPRESSIONS).replace("{0}", call(name, trap, chance))
    elif kind < 11:
        text = chance.choice(TEXTS)(str(trap.secret))
        sql = chance.choice(NAMES).replace("{0}", chance.choice(SPELLINGS[:5])(name, chance)).replace("{1}", text)
    elif kind < 16:
        arguments = filled(chance.choice(TABLE_ARGUMENTS), trap, chance, chance.choice(TEXTS)(str(trap.secret)))
        function = chance.choice(table_functions)
        aliases = function.startswith("view")  # with anything but a SELECT: a table's name, and names for its columns
        table = f"{chance.choice(SPELLINGS)(function, chance)}({arguments})"
        sql = chance.choice(TABLES).replace("{0}", table)
    elif kind < 18:
        sql = chance.choice(HIDING).replace("{0}", call(name, trap, chance))
    elif kind < 19:
        structure = chance.choice(STRUCTURE_TEXTS).replace("{0}", call("file", trap, chance))
        rest = ", 'x'" if (function := chance.choice(STRUCTURES)) == "values" else ""
        sql = chance.choice(TABLES).replace("{0}", f"{function}({quote(structure)}{rest})")
    else:
        sql = chance.choice(STATEMENTS)
    hidden = 16 <= kind < 18
    return Attempt(filled(sql + chance.choice(TAILS), trap, chance), reaches=None if hidden or aliases else True)
