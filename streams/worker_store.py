"""ClickHouse as a worker has it: waited for while it is away, written under epochs, with dead letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.epochs import claim_epoch, claimed_epochs
from counterpoise.clickhouse.restore_record import require_whole
from counterpoise.clickhouse.rows.dead_letter_rows import dead_letter_columns
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.dead_letters import DeadLetter
from counterpoise.runtime.retry import Waiter
from streams.intake.dead_letter import Bad, dead_letter

P = ParamSpec("P")
T = TypeVar("T")

_FIRST_VERSION = 1
"""Of a dead letter: a redelivered one must not undo the mark that it was replayed, which has a higher version."""


class WorkerStore:
    """One client and one thread. Every call returns when it is done, however long ClickHouse is away, or raises StoppingError.

    What it is given must be safe to run twice: an insert whose answer was lost is sent again.
    """

    def __init__(self, clickhouse: ClickHouse, waiter: Waiter) -> None:
        self.clickhouse = clickhouse
        self.status = waiter.status
        self.clock = waiter.clock
        self._waiter = waiter

    def read(self, query: Callable[Concatenate[ClickHouse, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `query(clickhouse, …)` returns."""
        return self.write(query, self.clickhouse, *args, **kwargs)

    def write(self, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `action(…)` returns; it has a client already."""
        return self._waiter.until_done("clickhouse", lambda: action(*args, **kwargs))

    def claim(self, role: str) -> Versions:
        """Versions above those of every earlier writer of a role. ConfigError where a restore of the database is not over."""
        self.read(require_whole, self.clickhouse.database)
        return Versions(self.read(claim_epoch, role))

    def overtaken(self, prefix: str, written_under: Mapping[str, Versions]) -> list[str]:
        """Those of our names whose role (`prefix` + name) somebody claimed after us: our rows lose from then on.

        It asks even where we hold none: so a worker with nothing to do sees that ClickHouse is away, and reports it.
        """
        epochs = self.read(claimed_epochs, prefix)
        return [name for name, versions in written_under.items() if epochs.get(prefix + name, 0) > versions.epoch]

    def write_dead_letters(self, bad: Sequence[Bad]) -> None:
        """Store a dead letter for each."""
        self.store_letters([dead_letter(event, message, self.now_ms()) for message, event in bad])

    def store_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Store letters; one that is stored already stays as it is."""
        if letters:
            self.write(self.clickhouse.insert, "dead_letters_log", dead_letter_columns(letters, _FIRST_VERSION))
            self.status.count("dead_letters", len(letters))

    def now_ms(self) -> int:
        """UTC now in milliseconds."""
        return int(self.clock.now() * 1000)

    def close(self) -> None:
        """Close the client; the next call opens a new connection."""
        self.clickhouse.close()
