"""`counterpoise up` and `down`: the embedded engines."""

from __future__ import annotations

from typing import Annotated

import typer

from counterpoise.errors import ConfigError
from desk.cli.options import number
from desk.cli.say import say
from engines.ports import CLICKHOUSE_HTTP_PORT, CLICKHOUSE_PORT, KAFKA_PORT


def up(
    kafka_port: Annotated[
        int | None, number(least=0, most=65_535, help=f"{KAFKA_PORT} unless given; 0 takes a free one.")
    ] = None,
    clickhouse_port: Annotated[
        int | None, number(least=0, most=65_535, help=f"Native protocol: {CLICKHOUSE_PORT} unless given.")
    ] = None,
    http_port: Annotated[
        int | None, number(least=0, most=65_535, help=f"HTTP: {CLICKHOUSE_HTTP_PORT} unless given.")
    ] = None,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Take free ports for all three; the engines keep them.")
    ] = False,
    fallen: Annotated[bool, typer.Option("--fallen", hidden=True, help="Only those whose process is gone.")] = False,
) -> None:
    """Start the embedded Kafka and ClickHouse on loopback if they do not run yet, and leave them running."""
    from counterpoise.settings.model import Settings
    from desk.embedded_limits import embedded_limits
    from engines.stack import Ports, restart_fallen
    from engines.stack import up as start_engines

    settings = Settings.load()
    state_dir = settings.state_dir.absolute()
    if free_ports:
        if (kafka_port, clickhouse_port, http_port) != (None, None, None):
            raise ConfigError("--free-ports takes all ports: leave out --kafka-port, --clickhouse-port and --http-port")
        kafka_port = clickhouse_port = http_port = 0
    if fallen:
        restart_fallen(state_dir, embedded_limits(settings))
        return
    endpoints, started = start_engines(
        state_dir, Ports(kafka_port, clickhouse_port, http_port), embedded_limits(settings)
    )
    for name, where in (
        ("kafka", endpoints.kafka),
        (
            "clickhouse",
            f"{endpoints.clickhouse_host}:{endpoints.clickhouse_port}, HTTP {endpoints.clickhouse_http_port}",
        ),
    ):
        say(f"{name:<11}{'started' if name in started else 'already runs'} on {where}")
    say(f"passwords  user default: {endpoints.clickhouse_password_file}")
    say(f"           user reader (read-only): {endpoints.clickhouse_reader_password_file}")


def down() -> None:
    """Stop the embedded engines. ClickHouse keeps its data. The embedded Kafka forgets its topics, and ingest refills them."""
    from counterpoise.settings.model import Settings
    from engines.stack import down as stop_engines

    stopped = stop_engines(Settings.load().state_dir.absolute())
    say(f"stopped {' and '.join(stopped)}" if stopped else "no embedded engines run here")
