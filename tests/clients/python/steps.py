"""What the programs of Python clients share: the request in the environment, the steps' lines, values as JSON.

tests/clients/programs.py describes the exchange.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True)
class Asked:
    """The server, the account and the statements."""

    port: int
    http_port: int
    user: str
    password: str
    database: str
    select: str
    text: str
    table: str
    stream: str
    wrong: str
    slow: str
    query_id: str


def asked() -> Asked:
    names = Asked.__dataclass_fields__
    given = {name: os.environ[f"CLIENT_{name.upper()}"] for name in names}
    return Asked(**{**given, "port": int(given["port"]), "http_port": int(given["http_port"])})  # type: ignore[arg-type]


def running() -> None:
    """Say that the slow statement is on its way, and wait until the test has seen it on the server."""
    print(json.dumps({"running": True}), flush=True)
    sys.stdin.readline()


def run(steps: Mapping[str, Callable[[], object]], failed: Callable[[Exception], tuple[int, str]]) -> None:
    """Run each step and print its line; `failed` is how this client gives a server's code and message."""
    for name, step in steps.items():
        try:
            line = {"step": name, "value": plain(step())}
        except Exception as error:
            code, message = failed(error)
            line = {"step": name, "code": code, "message": message}
        print(json.dumps(line), flush=True)


def plain(value: object) -> object:
    """A value as JSON has it; integers beyond 2**53, decimals and UUIDs as text, bytes in hex, moments without their zone."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="milliseconds")
    if isinstance(value, Decimal | UUID | date):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value
