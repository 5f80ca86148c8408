"""A connection that cannot change anything, whether the user may write or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from clickhouse_driver import errors as driver

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.error_codes import READONLY
from counterpoise.errors import ConfigError
from counterpoise.settings.endpoints import ClickHouseTarget

READ_ONLY: Final[Mapping[str, Any]] = {"readonly": 1}


def connect_read_only(
    target: ClickHouseTarget, database: str, limits: Mapping[str, Any] | None = None, *, needs_limits: bool = False
) -> ClickHouse:
    """A client whose statements only read. `limits` are settings that apply where the user may change settings.

    A user who may only read may not set `readonly`, and perhaps no limit either; then the server's own apply, or with
    `needs_limits` ConfigError is raised.
    """
    choices: Sequence[Mapping[str, Any]] = ({**READ_ONLY, **(limits or {})}, limits or {}, {})
    if needs_limits:
        choices = choices[:2]
    for settings in choices:
        client = connect(target, database, settings=settings)
        try:
            client.query("SELECT 1")
        except ConfigError as error:
            client.close()
            cause = error.__cause__
            if not isinstance(cause, driver.Error) or cause.code != READONLY or settings is choices[-1]:
                raise
        else:
            return client
    raise AssertionError("the last choice is taken, or its error raised")
