"""What a block shows about who made it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts of one block that attribution may use; nothing in it has been interpreted.

    `coinbase_script` is the scriptSig of the coinbase input, as bytes. `payout_addresses` are the addresses of the
    coinbase outputs in output order (outputs without an address are left out). `label` is what a replayed file claims, in
    that file's own words. Each may be empty.
    """

    coinbase_script: bytes = b""
    payout_addresses: tuple[str, ...] = ()
    label: str | None = None
