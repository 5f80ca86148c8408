"""What the live sources say, as block events. Pure: values in, values out.

Every function takes parsed JSON of any shape and either returns an event that holds to the contract or raises DeadLetterError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain_registry import address_format
from counterpoise.contracts.blocks import MAX_PAYOUT_ADDRESSES, BlockEvent
from counterpoise.errors import DeadLetterError
from counterpoise.pools.addresses import output_address

GENESIS_PARENT = "0" * 64
_COMPACT = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})")
_MAX_OUTPUT_SCRIPT_HEX = 20_000


def from_mempool(payload: object, *, chain: str, seen_at_ms: int) -> BlockEvent:
    """A block of mempool's REST or WebSocket API, with its `extras`.

    Without `extras.coinbaseRaw` (an instance that does not index blocks) there is no evidence and the block is refused: published
    without, it would count as nobody's for good. `coinbaseAddresses` may be missing (older instances): `coinbaseAddress` then.
    """
    block = _mapping(payload, "block")
    extras = _mapping(block.get("extras"), "extras", reason="no-coinbase")
    script = extras.get("coinbaseRaw")
    if not isinstance(script, str) or not script:
        raise DeadLetterError("no-coinbase", "extras.coinbaseRaw is missing: the instance does not index blocks")
    addresses = extras.get("coinbaseAddresses")
    if not isinstance(addresses, list):
        single = extras.get("coinbaseAddress")
        addresses = [single] if single else []
    return _event(
        chain=chain,
        height=block.get("height"),
        hash=_hash(block, "id"),
        prev_hash=_parent(block, "previousblockhash"),
        time=block.get("timestamp"),
        bits=_bits(block.get("bits")),
        coinbase_script=script.lower(),
        payout_addresses=tuple(address for address in addresses[:MAX_PAYOUT_ADDRESSES] if address),
        fees_sats=_optional_count(extras.get("totalFees")),
        source="mempool",
        seen_at_ms=seen_at_ms,
    )


def from_bitcoind(block: object, coinbase: object, *, fees_sats: object, chain: str, seen_at_ms: int) -> BlockEvent:
    """A block of Bitcoin Core's `getblock` (any verbosity above 0) and its coinbase, decoded as `getrawtransaction` or `getblock` do.

    `fees_sats` is `totalfee` of `getblockstats`, None where the node does not say.
    """
    head = _mapping(block, "block")
    transaction = _mapping(coinbase, "coinbase", reason="no-coinbase")
    inputs = transaction.get("vin")
    first = inputs[0] if isinstance(inputs, list) and inputs else None
    script = first.get("coinbase") if isinstance(first, Mapping) else None
    if not isinstance(script, str):
        raise DeadLetterError("no-coinbase", "the first transaction has no input with a coinbase script")
    outputs = transaction.get("vout")
    if not isinstance(outputs, list):
        raise DeadLetterError("no-coinbase", "the coinbase has no list of outputs")
    return _event(
        chain=chain,
        height=head.get("height"),
        hash=_hash(head, "hash"),
        prev_hash=_parent(head, "previousblockhash"),
        time=head.get("time"),
        bits=_bits(head.get("bits")),
        coinbase_script=script.lower(),
        payout_addresses=tuple(_addresses(outputs, address_format(chain))),
        fees_sats=_optional_count(fees_sats),
        source="bitcoind",
        seen_at_ms=seen_at_ms,
    )


def _addresses(outputs: list[object], form: AddressFormat) -> Iterable[str]:
    """Addresses of outputs in their order: as the node names them (new and old form), else from the script."""
    for output in outputs[:MAX_PAYOUT_ADDRESSES]:
        script = output.get("scriptPubKey") if isinstance(output, Mapping) else None
        if not isinstance(script, Mapping):
            raise DeadLetterError("bad-block", "an output of the coinbase has no scriptPubKey")
        named = script.get("address")
        if named is None and isinstance(script.get("addresses"), list) and len(script["addresses"]) == 1:
            named = script["addresses"][0]
        if named is None and isinstance(script.get("hex"), str) and len(script["hex"]) <= _MAX_OUTPUT_SCRIPT_HEX:
            try:
                named = output_address(bytes.fromhex(script["hex"]), form)
            except ValueError:
                raise DeadLetterError("bad-block", "an output script of the coinbase is not hexadecimal") from None
        if named is not None:
            if not isinstance(named, str):
                raise DeadLetterError("bad-block", "an address of the coinbase is not text")
            yield named


def _event(**fields: Any) -> BlockEvent:
    try:
        return BlockEvent(**fields)
    except ValidationError as error:
        parts = [
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}"
            for e in error.errors(include_input=False, include_url=False)[:5]
        ]
        raise DeadLetterError("bad-block", "; ".join(parts)) from None


def _mapping(value: object, what: str, *, reason: str = "bad-block") -> Mapping[str, Any]:
    if value is None:
        raise DeadLetterError(reason, f"{what} is missing")
    if not isinstance(value, Mapping):
        raise DeadLetterError(reason, f"{what} is {type(value).__name__}, expected an object")
    return value


def _hash(block: Mapping[str, Any], name: str) -> object:
    value = block.get(name)
    return value.lower() if isinstance(value, str) else value


def _parent(block: Mapping[str, Any], name: str) -> object:
    """The genesis block has none; any other block without one is refused by the contract."""
    if block.get("height") == 0 and block.get(name) is None:
        return GENESIS_PARENT
    return _hash(block, name)


def _bits(value: object) -> object:
    """Compact target: mempool gives a number, nodes eight hexadecimal digits."""
    if isinstance(value, str):
        match = _COMPACT.fullmatch(value)
        return int(match[1], 16) if match else None
    return value


def _optional_count(value: object) -> int | None:
    """Fees do not decide anything: what is no plain count is left out."""
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2_100_000_000_000_000
        else None
    )
