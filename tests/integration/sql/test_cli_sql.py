"""`counterpoise sql`, `migrate` and `dlq` as they are typed."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.rows.dead_letter_rows import dead_letter_columns
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import decode
from counterpoise.contracts.topics import BLOCKS
from counterpoise.kafka.clients import make_consumer
from counterpoise.settings.endpoints import kafka_target
from counterpoise.settings.model import Settings
from desk.cli import main
from tests.engines import ClickHouseServer, as_environment
from tests.integration.sql.sample import LAST, block, dead_letter
from tests.runbook import assert_shown
from tests.waiting import PATIENCE_SECONDS, wait_for

Cli = Callable[..., tuple[int, str, str]]
COMMAND = (sys.executable, "-m", "counterpoise")


@pytest.fixture
def cli(
    sample: ClickHouse, clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Cli:
    """Run a command on the sample; (exit code, standard output, standard error)."""
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__HOST", "127.0.0.1")
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PORT", str(clickhouse.port))
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE", str(clickhouse.password_file))
    monkeypatch.setenv("COUNTERPOISE_DATASET", sample.database)
    monkeypatch.setenv("COUNTERPOISE_DATASET_KIND", "simulated")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


LEADERS = (
    "SELECT height, time, top4_share, leaders, provisional, nan AS undefined FROM latest_concentration "
    "WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144"
)


def test_json_has_proper_types(cli: Cli) -> None:
    code, out, _ = cli("sql", LEADERS, "--format", "json")
    assert code == 0
    [row] = json.loads(out)
    moment = datetime.fromtimestamp(block("bitcoin", LAST).time, UTC).isoformat().replace("+00:00", "Z")
    assert row == {
        "height": LAST,
        "time": moment,
        "top4_share": 112 / 144,
        "leaders": [
            {"pool": pool, "blocks": blocks}
            for pool, blocks in (("foundry-usa", 48), ("antpool", 32), ("f2pool", 16), ("ocean", 16), ("viabtc", 16))
        ],
        "provisional": True,
        "undefined": None,
    }


def test_csv_keeps_every_digit(cli: Cli) -> None:
    code, out, _ = cli("sql", LEADERS, "--format", "csv")
    assert code == 0
    [row] = csv.DictReader(io.StringIO(out))
    assert float(row["top4_share"]) == 112 / 144
    assert json.loads(row["leaders"])[0] == {"pool": "foundry-usa", "blocks": 48}
    assert (row["provisional"], row["undefined"]) == ("true", "")


def test_parquet_goes_to_a_file(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "series.parquet"
    code, _, _ = cli(
        "sql",
        "--name",
        "metric_series",
        "--param",
        "window=144",
        "--param",
        "step=1",
        "--format",
        "parquet",
        "--out",
        str(path),
    )
    assert code == 0
    table = pq.read_table(path)
    assert table.num_rows == 400
    assert str(table.schema.field("time").type) == "timestamp[ms, tz=UTC]"
    assert table.column("top4_share").to_pylist()[-1] == 112 / 144


def test_parquet_can_be_sent_on(cli: Cli) -> None:
    done = subprocess.run(
        [*COMMAND, "sql", "SELECT toUInt8(7) AS n", "--format", "parquet"], capture_output=True, check=True
    )
    assert pq.read_table(io.BytesIO(done.stdout)).to_pydict() == {"n": [7]}


def test_ctrl_c_ends_the_query_on_the_server(cli: Cli, sample: ClickHouse) -> None:
    endless = "SELECT sum(cityHash64(number, 77)) FROM numbers(100000000000)"
    running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(cityHash64(number, 77))%'"
    # Where the tests run in the background of a shell, SIGINT is ignored, and a child would inherit that.
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        [*COMMAND, "sql", endless],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeds,  # noqa: PLW1509 - the child does nothing else before its exec
    ) as asking:
        _until(lambda: sample.query(running) == [(1,)])
        asking.send_signal(signal.SIGINT)
        assert asking.wait(timeout=PATIENCE_SECONDS) == 130
        assert asking.stderr is not None
        assert "Traceback" not in asking.stderr.read()
    _until(lambda: sample.query(running) == [(0,)])


def _until(true: Callable[[], bool]) -> None:
    wait_for(true, "the query")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", "n,s\n1,a|b\n"),
        ("x.jsonl", '{"n": 1, "s": "a|b"}\n'),
        ("x.json", '[\n{"n": 1, "s": "a|b"}\n]\n'),
        ("x.MD", "| n | s |\n| ---: | --- |\n| 1 | a\\|b |\n"),
    ],
)
def test_the_name_of_the_file_says_the_format(cli: Cli, tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    assert cli("sql", "SELECT 1 AS n, 'a|b' AS s", "--out", str(path)) == (0, "", "")
    assert path.read_text() == content


def test_a_file_is_replaced_whole_or_not_at_all(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("what was there\n")
    half_way = "SELECT throwIf(number = 200000) FROM numbers(300000)"
    code, _, err = cli("sql", half_way, "--out", str(path))
    assert code == 2
    assert "(code 395)" in err
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("x.csv", "what was there\n")]
    assert cli("sql", "SELECT 1 AS n", "--out", str(path)) == (0, "", "")
    assert path.read_text() == "n\n1\n"


def test_a_mistake_is_pointed_at(cli: Cli) -> None:
    code, out, err = cli("sql", "SELECT height\nFROM blocks\nWHERE height >> 3 LIMT 4")
    assert (code, out) == (2, "")
    line, shown, mark = err.splitlines()
    assert line.startswith("counterpoise: ClickHouse refuses the query at line 3, column 15: Syntax error: ")
    assert line.endswith("(code 62)")
    assert shown == "  WHERE height >> 3 LIMT 4"
    assert mark == "  " + " " * 14 + "^"
    code, _, err = cli("sql", "SELECT height, top4_shar FROM latest_concentration")
    line, shown, mark = err.splitlines()
    assert line.startswith("counterpoise: ClickHouse refuses the query at line 1, column 16: ")
    assert "`top4_share`" in line or "'top4_share'" in line
    assert shown[mark.index("^") :].startswith("top4_shar")


def test_the_name_of_a_stored_query_is_recognised(cli: Cli) -> None:
    assert "run a named query by --name top4_breaches" in cli("sql", "top4_breach")[2]
    assert "there is no query named 'top4_breach' (did you mean top4_breaches" in cli("sql", "--name", "top4_breach")[2]
    said = cli("sql", "--name", "top4_breaches", "--param", "windw=144")[2]
    assert "has no parameter 'windw' (did you mean window?)" in said


def test_a_named_query_is_shown(cli: Cli) -> None:
    code, out, _ = cli("sql", "--name", "top4_breaches", "--show")
    assert code == 0
    assert out.startswith("-- name: top4_breaches\n")
    assert "FROM concentration" in out


def test_a_table_for_people_stops_and_says_so(cli: Cli) -> None:
    code, out, err = cli("sql", "SELECT height, pool FROM blocks WHERE chain = 'bitcoin' ORDER BY height")
    assert code == 0
    assert "800000" in out
    assert "800099" in out
    assert "800100" not in out
    assert err == "(the first 100 rows; --max-rows 0 shows all)\n"
    code, out, err = cli(
        "sql", "SELECT height, pool FROM blocks WHERE chain = 'bitcoin' ORDER BY height", "--max-rows", "0"
    )
    assert (code, err) == (0, "")
    assert "400 rows" in out


def test_a_wide_table_is_turned(cli: Cli) -> None:
    code, out, _ = cli(
        "sql", "SELECT * FROM latest_concentration WHERE chain = 'bitcoin' ORDER BY view, window_blocks LIMIT 1"
    )
    assert code == 0
    assert "-----------------------  row 1\n" in out
    assert re.search(r"^top4_share +0\.777778$", out, re.MULTILINE)


def test_parameters_of_ad_hoc_sql(cli: Cli) -> None:
    code, out, _ = cli(
        "sql", "SELECT {a:UInt8} + 1 AS b, {c:String} AS d", "--param", "a=2", "--param", "c=it's", "--format", "json"
    )
    assert (code, json.loads(out)) == (0, [{"b": 3, "d": "it's"}])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SELECT {a:UInt8} + 1"], "counterpoise: ClickHouse refuses the query: "),
        ([""], "counterpoise: the SQL is empty"),
        (["SELECT {a:UInt8}", "--param", "a=many"], "counterpoise: ClickHouse refuses the query: "),
        (["SELECT {a:UInt8}"], "counterpoise: ClickHouse refuses the query: "),
        (["SELECT 1", "--param", "a"], "counterpoise: --param takes NAME=VALUE, not 'a'"),
        ([], "counterpoise: give SQL, or --name and a query's name"),
        (["SELECT 1", "--name", "top4_breaches"], "counterpoise: give SQL, or --name and a query's name"),
        (["--name", "nope"], "counterpoise: there is no query named 'nope' among alert_history, "),
        (["--show"], "counterpoise: give SQL, or --name and a query's name"),
        (["SELECT 1", "--out", "x.what"], "counterpoise: --out 'x.what': the ending of the name selects no format"),
        (["--name", "top4_breaches", "--param", "x=1"], "counterpoise: query 'top4_breaches' has no parameter 'x'"),
        (
            ["SELECT 1", "--out", "/nowhere/x.csv"],
            "counterpoise: '/nowhere/x.csv' cannot be written: No such file or directory",
        ),
    ],
)
def test_mistakes_are_one_line_and_exit_two(cli: Cli, arguments: list[str], message: str) -> None:
    code, out, err = cli("sql", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE x (a UInt8) ENGINE = Memory",
        "INSERT INTO alert_mutes_log (rule_id) SELECT 'x'",
        "DROP TABLE blocks_log",
        "ALTER TABLE blocks_log DELETE WHERE 1",
        "INSERT INTO alert_mutes_log (rule_id) SETTINGS readonly = 0 SELECT 'x'",
    ],
)
def test_nothing_is_changed_without_write(cli: Cli, sample: ClickHouse, statement: str) -> None:
    before = sample.query("SELECT name, total_rows FROM system.tables WHERE database = currentDatabase() ORDER BY name")
    code, _, err = cli("sql", statement)
    assert code == 2
    assert "code 164" in err
    assert (
        sample.query("SELECT name, total_rows FROM system.tables WHERE database = currentDatabase() ORDER BY name")
        == before
    )


def test_write_writes(cli: Cli, sample: ClickHouse) -> None:
    assert cli("sql", "CREATE TABLE scratch (a UInt8) ENGINE = Memory", "--write") == (0, "", "")
    assert cli("sql", "INSERT INTO scratch VALUES (7)", "--write")[0] == 0
    assert sample.query("SELECT a FROM scratch") == [(7,)]
    assert cli("sql", "DROP TABLE scratch", "--write")[0] == 0


def test_a_user_who_may_only_read_reads(
    cli: Cli, clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__USER", "reader")
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE", str(clickhouse.reader_password_file))
    assert cli("sql", "SELECT count() AS n FROM blocks WHERE chain = 'bitcoin'", "--format", "csv") == (
        0,
        "n\n400\n",
        "",
    )
    assert "code 164" in cli("sql", "DROP TABLE blocks_log")[2]


def test_a_server_that_is_away_is_one_line_and_exit_three(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PORT", str(free_port))
    code, out, err = cli("sql", "SELECT 1")
    assert (code, out) == (3, "")
    assert err.startswith(f"counterpoise: ClickHouse 127.0.0.1:{free_port}/")
    assert err.count("\n") == 1


def test_sql_comes_from_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 7 AS n"))
    assert cli("sql", "-", "--format", "csv") == (0, "n\n7\n", "")


def test_the_list_has_every_query(cli: Cli) -> None:
    code, out, _ = cli("sql", "--list")
    assert code == 0
    assert "top4_breaches\n    Stretches of heights" in out
    assert "--param line  Float64, default 0.75: " in out


def test_migrate_says_what_it_did(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert main(["migrate", "--check"]) == 1
    assert "missing  table blocks_log\n" in capfd.readouterr().out
    assert main(["migrate"]) == 0
    out = capfd.readouterr().out
    assert "applied  table blocks_log\n" in out
    assert f"created  topic {settings.dataset}.blocks.v1\n" in out
    assert out.endswith(f"{settings.dataset} (live): ready\n")
    assert main(["migrate"]) == 0
    assert capfd.readouterr().out == f"{settings.dataset} (live): nothing to do\n"
    assert main(["migrate", "--check"]) == 0
    assert capfd.readouterr().out == f"{settings.dataset}: up to date\n"


def test_migrate_as_json(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], free_port: int
) -> None:
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)

    def migrated(*arguments: str) -> tuple[int, dict[str, Any], str]:
        code = main(["migrate", "--json", *arguments])
        out, err = capfd.readouterr()
        return code, json.loads(out), err

    code, found, _ = migrated("--check")
    assert (code, found["complete"], found["dataset"]) == (1, True, settings.dataset)
    assert "table blocks_log" in found["missing"]
    with monkeypatch.context() as no_kafka:
        no_kafka.setenv("COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port}")
        code, found, err = migrated()
    assert (code, found["complete"], found["created_topics"]) == (3, False, [])
    assert "table blocks_log" in found["applied"] and "counterpoise: " in err
    code, found, _ = migrated()
    assert (code, found["applied"]) == (0, [])
    assert f"{settings.dataset}.blocks.v1" in found["created_topics"]
    names = {"complete": True, "dataset": settings.dataset, "dataset_kind": "live"}
    assert migrated()[:2] == (0, names | {"applied": [], "created_topics": []})
    assert migrated("--check")[:2] == (0, names | {"missing": []})


def test_dead_letters_are_listed_shown_and_sent_again(
    settings: Settings, clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert main(["migrate"]) == 0
    topic = BLOCKS.full_name(settings.dataset)
    good = block("bitcoin", 800_000)
    letters = [
        dead_letter(good.model_dump_json(exclude_defaults=True).encode(), topic=topic, offset=1, index=3),
        dead_letter(b"{not an envelope", topic=topic, offset=2, index=-1),
        dead_letter(b"x" * 20_000, topic=topic, offset=3, kept=16_384, index=-1),
    ]
    with connect(clickhouse.target, settings.dataset) as ch:
        ch.insert("dead_letters_log", dead_letter_columns(letters, 1))
        capfd.readouterr()

        assert main(["dlq", "list"]) == 0
        listed = capfd.readouterr().out
        assert "3 of 3 dead letters" in listed
        assert_shown("Dead letters arrive", listed)
        assert main(["dlq", "show", letters[1].letter_id[:12]]) == 0
        assert capfd.readouterr().out.endswith("{not an envelope\n")
        assert main(["dlq", "list", "--json", "--limit", "1"]) == 0
        [newest] = json.loads(capfd.readouterr().out)
        assert (newest["letter_id"], newest["truncated"], newest["payload_bytes"]) == (
            letters[2].letter_id,
            True,
            20_000,
        )

        assert main(["dlq", "replay", "--reason", "bad-event"]) == 1
        said = capfd.readouterr()
        assert said.out.endswith("2 sent, 1 refused\n")
        assert said.err == (
            f"refused  {letters[2].letter_id}  only 16384 of its 20000 bytes were kept: let its source send it again\n"
        )
        rows = ch.query("SELECT offset, replayed_at IS NULL FROM dead_letters ORDER BY offset")
        assert rows == [(1, 0), (2, 0), (3, 1)]

        consumer = make_consumer(
            kafka_target(settings),
            (topic,),
            client_id="test",
            group_id=None,
            kafka=settings.kafka,
            consumer_timeout_ms=8_000,
        )
        messages = {}
        for message in consumer:
            messages[bytes(message.value)[:2]] = message
            if len(messages) == 2:
                break
        consumer.close()
        assert bytes(messages[b"{n"].value) == b"{not an envelope"
        again = decode(bytes(messages[b'{"'].value), BlockEvent, kind=BLOCK_KIND, dataset=settings.dataset)
        assert again.events == (good,)
        assert bytes(messages[b'{"'].key) == b"bitcoin"

        assert main(["dlq", "replay", "--reason", "none-such"]) == 2
        assert "no letter of reason 'none-such' is left" in capfd.readouterr().err
        assert main(["dlq", "replay"]) == 2
        assert "name the letters to send again" in capfd.readouterr().err
        assert main(["dlq", "show", "ffff"]) == 2
        assert "no dead letter begins with 'ffff'" in capfd.readouterr().err

        refused = dead_letter(b"{}", topic="source:mempool", offset=-1, index=-1)
        ch.insert("dead_letters_log", dead_letter_columns([refused], 2))
        assert main(["dlq", "replay", refused.letter_id]) == 1
        said = capfd.readouterr()
        assert said.out == "0 sent, 1 refused\n"
        assert "it never reached Kafka: fix the source 'mempool'" in said.err


def test_a_file_of_the_users_joins(cli: Cli, tmp_path: Path) -> None:
    """Over more than one block, with NULLs, and with two files at once."""
    prices, names = tmp_path / "price.csv", tmp_path / "names.jsonl"
    lines = [f"{height},{height / 2 if height % 2 else ''},2024-01-01" for height in range(LAST - 69_999, LAST + 1)]
    prices.write_text("height,usd,day\n" + "\n".join(lines) + "\n")
    names.write_text('{"slug": "ocean", "title": "Océan"}\n{"slug": "antpool", "title": "=1"}\n')
    code, out, err = cli(
        "sql",
        "SELECT count() AS n, countIf(usd IS NULL) AS without, sum(usd) AS total, max(day) AS last_day, "
        "(SELECT max(title) FROM names WHERE slug = 'ocean') AS title "
        "FROM price INNER JOIN (SELECT DISTINCT height FROM blocks WHERE chain = 'bitcoin') AS b USING (height)",
        *("--with", f"price={prices}", "--with", f"names={names}", "--format", "json"),
    )
    assert (code, err) == (0, "")
    heights = json.loads(
        cli("sql", "SELECT DISTINCT height FROM blocks WHERE chain = 'bitcoin'", "--format", "json")[1]
    )
    odd = [row["height"] for row in heights if row["height"] % 2]
    [row] = json.loads(out)
    assert row == {
        "n": len(heights),
        "without": len(heights) - len(odd),
        "total": sum(odd) / 2,
        "last_day": "2024-01-01",
        "title": "Océan",
    }
    code, out, _ = cli("sql", "SELECT count() AS n FROM price", "--with", f"price={prices}", "--format", "json")
    assert json.loads(out) == [{"n": 70_000}]


def test_each_type_of_a_file_arrives(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    columns = {
        "b": pa.array([True, None]),
        "i": pa.array([-1, None], pa.int8()),
        "u": pa.array([2**64 - 1, 0], pa.uint64()),
        "f": pa.array([0.5, None], pa.float32()),
        "d": pa.array([date(1950, 1, 2), None]),
        "m": pa.array([datetime(2024, 1, 1, 0, 0, 0, 5_000, UTC), None], pa.timestamp("ms")),
        "n": pa.array([Decimal("1.25"), None], pa.decimal128(9, 2)),
        "x": pa.array([b"a", b"b"], pa.binary()),
        "e": pa.array([None, None]),
    }
    pq.write_table(pa.table(columns), path)
    code, out, _ = cli("sql", "SELECT * FROM t ORDER BY x", "--with", f"t={path}", "--format", "json")
    assert code == 0
    assert json.loads(out) == [
        {
            **{"b": True, "i": -1, "u": 2**64 - 1, "f": 0.5, "d": "1950-01-02", "x": "a", "e": None},
            **{"m": "2024-01-01T00:00:00.005000Z", "n": "1.25"},
        },
        {**dict.fromkeys("bifdmne"), "u": 0, "x": "b"},
    ]
    code, out, _ = cli("sql", "--with", f"t={path}", "--show-types")
    assert (code, out.splitlines()[:3]) == (0, ["t: 2 rows", "    b  Nullable(Bool)", "    i  Nullable(Int8)"])
    path.write_bytes(path.read_bytes()[:-1])
    code, out, err = cli("sql", "SELECT 1", "--with", f"t={path}")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_an_empty_file_has_columns(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n")
    assert cli("sql", "SELECT a, b FROM t", "--with", f"t={path}", "--format", "csv")[:2] == (0, "a,b\n")
    code, _, err = cli("sql", "--show-types")
    assert code == 2
    assert "--show-types takes --with and no query" in err
