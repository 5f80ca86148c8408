"""What a job prints with --json: one object on standard output at its end. Everything else goes to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any

from counterpoise.errors import CounterpoiseError
from desk.cli.say import say


@contextmanager
def job_result(as_json: bool) -> Iterator[dict[str, Any]]:
    """A result to fill in. With `as_json` it is printed after the block, in which standard output is standard error.

    `complete` is false where an error or Ctrl-C ends the block, and the error is raised again. An empty result, of a job that had not
    begun, is not printed.
    """
    result: dict[str, Any] = {}
    try:
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            yield result
    except (CounterpoiseError, OSError, KeyboardInterrupt):
        if as_json and result:
            _print({"complete": False} | result)
        raise
    if as_json:
        _print({"complete": True} | result)


def _print(result: dict[str, Any]) -> None:
    say(json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False))
