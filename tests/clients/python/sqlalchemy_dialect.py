"""SQLAlchemy with the dialect of clickhouse-connect: how Superset connects."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy.engine import URL

from tests.clients.python import steps
from tests.clients.python.clickhouse_connect_http import cancel_by_kill, failed


def main() -> None:
    asked = steps.asked()
    url = URL.create(
        "clickhousedb",
        username=asked.user,
        password=asked.password,
        host="127.0.0.1",
        port=asked.http_port,
        database=asked.database,
    )
    engine = sqlalchemy.create_engine(url)

    def rows(sql: str, **parameters: object) -> list[list[object]]:
        with engine.connect() as connection:
            return [list(row) for row in connection.execute(sqlalchemy.text(sql), parameters)]

    def describe() -> object:
        """The dialect reflects a column's type as an object of its own, whose text is the type's ClickHouse name."""
        columns = sqlalchemy.inspect(engine).get_columns("typed", asked.database)
        return [[column["name"], column["type"].name] for column in columns]

    def insert() -> object:
        table = sqlalchemy.Table(asked.table.partition(".")[2], sqlalchemy.MetaData(), autoload_with=engine)
        with engine.begin() as connection:
            connection.execute(table.insert(), [{"n": n, "s": f"row {n}"} for n in (1, 2, 3)])
        return rows(f"SELECT n, s FROM {asked.table} ORDER BY n")

    def stream() -> object:
        count = total = 0
        with engine.connect().execution_options(yield_per=10_000) as connection:
            for row in connection.execute(sqlalchemy.text(asked.stream)):
                count += 1
                total += row[0]
        return [count, total]

    def cancel() -> object:
        connect = {"query_id": asked.query_id}
        other = sqlalchemy.create_engine(url.update_query_dict(connect))

        def slow() -> None:
            with other.connect() as connection:
                connection.execute(sqlalchemy.text(asked.slow)).all()

        return cancel_by_kill(asked, slow)

    steps.run(
        {
            "connect": lambda: rows("SELECT version()")[0][0],
            "list": lambda: sorted(sqlalchemy.inspect(engine).get_table_names(asked.database)),
            "describe": describe,
            "select": lambda: rows(asked.select)[0],
            "parameters": lambda: rows("SELECT :n, :s", n=7, s=asked.text)[0],
            "insert": insert,
            "stream": stream,
            "error": lambda: rows(asked.wrong),
            "cancel": cancel,
        },
        failed,
    )


if __name__ == "__main__":
    main()
