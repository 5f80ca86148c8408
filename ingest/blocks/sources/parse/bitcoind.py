"""A block of Bitcoin Core's JSON-RPC as a block event. Pure: JSON of any shape in; an event, or DeadLetterError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain_registry import address_format
from counterpoise.contracts.blocks import MAX_PAYOUT_ADDRESSES, BlockEvent
from counterpoise.errors import DeadLetterError
from counterpoise.pools.addresses import output_address
from ingest.blocks.sources.parse.block_fields import block_event, content_or_none, fees_or_none, mapping

_MAX_OUTPUT_SCRIPT_HEX = 20_000


def from_bitcoind(block: object, coinbase: object, *, fees_sats: object, chain: str, seen_at_ms: int) -> BlockEvent:
    """A block of Bitcoin Core's `getblock` (any verbosity above 0) and its coinbase, decoded as `getrawtransaction` or `getblock` do.

    `fees_sats` is `totalfee` of `getblockstats`, None where the node does not say.
    """
    head = mapping(block, "block")
    transaction = mapping(coinbase, "coinbase", reason="no-coinbase")
    inputs = transaction.get("vin")
    first = inputs[0] if isinstance(inputs, list) and inputs else None
    script = first.get("coinbase") if isinstance(first, Mapping) else None
    if not isinstance(script, str):
        raise DeadLetterError("no-coinbase", "the first transaction has no input with a coinbase script")
    listed = head.get("tx", head.get("rawtx"))  # old nodes have no nTx
    transactions = len(listed) if isinstance(listed, list) else None
    outputs = transaction.get("vout")
    if not isinstance(outputs, list):
        raise DeadLetterError("no-coinbase", "the coinbase has no list of outputs")
    return block_event(
        head,
        hash_name="hash",
        chain=chain,
        time=head.get("time"),
        coinbase_script=script.lower(),
        payout_addresses=tuple(_addresses(outputs, address_format(chain))),
        fees_sats=fees_or_none(fees_sats),
        transactions=content_or_none(head.get("nTx", transactions)),
        size_bytes=content_or_none(head.get("size")),
        weight=content_or_none(head.get("weight")),
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
