"""Every known chain, by name: the files of `counterpoise.chain.chains`. To add one, add a file there."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from counterpoise.chain import chains
from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain import Chain
from counterpoise.errors import ConfigError


def _found() -> dict[str, Chain]:
    names = [module.name for module in pkgutil.iter_modules(chains.__path__)]
    entries: list[Chain] = [import_module(f"{chains.__name__}.{name}").CHAIN for name in names]
    return {chain.name: chain for chain in sorted(entries, key=lambda chain: chain.number)}


CHAINS: Final[Mapping[str, Chain]] = MappingProxyType(_found())
"""In the order of their numbers."""

BITCOIN: Final = CHAINS["bitcoin"]


def known_chains() -> str:
    """The names in alphabetical order, for messages: `bitcoin, bitcoin-cash, …`."""
    return ", ".join(sorted(CHAINS))


def chain_named(name: str) -> Chain:
    """The chain of this name; ConfigError lists the known ones."""
    if name not in CHAINS:
        raise ConfigError(f"chain {name!r} is not known: expected one of {known_chains()}")
    return CHAINS[name]


def address_format(chain: str) -> AddressFormat:
    """How addresses of a chain are written; of an unknown chain, as Bitcoin's."""
    return CHAINS.get(chain, BITCOIN).addresses


def no_block_seconds(chain: str) -> int:
    """`Chain.no_block_seconds`; of an unknown chain, Bitcoin's."""
    return CHAINS.get(chain, BITCOIN).no_block_seconds
