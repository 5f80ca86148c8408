"""How a chain writes the addresses of its output scripts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddressFormat:
    """The prefixes of one chain's addresses.

    `p2pkh_version` and `p2sh_version` are the version bytes of Base58Check. `segwit_prefix` is the human-readable part of bech32,
    None on a chain without witness programs. `cash_prefix` is the prefix of CashAddr (without its colon) on a chain whose nodes
    write that instead of Base58Check. `old_p2sh_versions` are read and never written.
    """

    p2pkh_version: int
    p2sh_version: int
    segwit_prefix: str | None = None
    cash_prefix: str | None = None
    old_p2sh_versions: tuple[int, ...] = ()
