"""Claiming an epoch: the number under which a writer writes, higher than that of every writer of its role before it.

ClickHouse has no compare-and-set, so a claim is an insert that is then read back: whoever finds another token on its epoch claims
again. Two claimants cannot both keep one epoch, because each reads after its own insert and so at least the later one sees both.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.epoch_rows import epoch_columns
from counterpoise.runtime.clock import Clock, SystemClock

MAX_ATTEMPTS = 64


def claim_epoch(
    ch: ClickHouse,
    role: str,
    *,
    clock: Clock | None = None,
    new_token: Callable[[], str] = lambda: secrets.token_hex(16),
) -> int:
    """A new epoch of `role`, from 1 on; nobody else holds it, and nobody held it or a higher one when this was called.

    Raises RuntimeError when 64 attempts in a row met another claimant (a bug: two are the rule, three a crowd).
    """
    now = (clock or SystemClock()).now
    for _ in range(MAX_ATTEMPTS):
        epoch, token = highest_epoch(ch, role) + 1, new_token()
        ch.insert("epochs_log", epoch_columns(role, epoch, token, now()))
        holders = ch.query(
            "SELECT DISTINCT token FROM epochs_log WHERE role = {role:String} AND epoch = {epoch:UInt32}",
            {"role": role, "epoch": epoch},
        )
        if holders == [(token,)]:
            return epoch
    raise RuntimeError(f"no epoch of role {role!r} after {MAX_ATTEMPTS} attempts")


def highest_epoch(ch: ClickHouse, role: str) -> int:
    """The newest epoch that anybody claimed for a role; 0 where nobody did."""
    [(highest,)] = ch.query("SELECT max(epoch) FROM epochs_log WHERE role = {role:String}", {"role": role})
    return int(highest)


def claimed_epochs(ch: ClickHouse, prefix: str) -> dict[str, int]:
    """The newest epoch of every role whose name begins with `prefix`."""
    rows = ch.query(
        "SELECT role, max(epoch) FROM epochs_log WHERE startsWith(role, {prefix:String}) GROUP BY role",
        {"prefix": prefix},
    )
    return {str(role): int(epoch) for role, epoch in rows}
