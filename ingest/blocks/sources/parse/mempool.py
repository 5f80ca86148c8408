"""A block of mempool's API as a block event. Pure: JSON of any shape in; an event, or DeadLetterError."""

from __future__ import annotations

from counterpoise.contracts.blocks import MAX_PAYOUT_ADDRESSES, BlockEvent
from counterpoise.errors import DeadLetterError
from ingest.blocks.sources.parse.block_fields import block_event, content_or_none, fees_or_none, mapping, ratio_or_none


def from_mempool(payload: object, *, chain: str, seen_at_ms: int) -> BlockEvent:
    """A block of mempool's REST or WebSocket API, with its `extras`.

    Without `extras.coinbaseRaw` (an instance that does not index blocks) there is no evidence and the block is refused: published
    without, it would count as nobody's for good.
    `coinbaseAddresses` may be missing (older instances): `coinbaseAddress` then. An instance without block audits has no `matchRate`,
    `similarity` and expectations.
    """
    block = mapping(payload, "block")
    extras = mapping(block.get("extras"), "extras", reason="no-coinbase")
    script = extras.get("coinbaseRaw")
    if not isinstance(script, str) or not script:
        raise DeadLetterError("no-coinbase", "extras.coinbaseRaw is missing: the instance does not index blocks")
    addresses = extras.get("coinbaseAddresses")
    if not isinstance(addresses, list):
        single = extras.get("coinbaseAddress")
        addresses = [single] if single else []
    return block_event(
        block,
        hash_name="id",
        chain=chain,
        time=block.get("timestamp"),
        coinbase_script=script.lower(),
        payout_addresses=tuple(address for address in addresses[:MAX_PAYOUT_ADDRESSES] if address),
        fees_sats=fees_or_none(extras.get("totalFees")),
        transactions=content_or_none(block.get("tx_count")),
        size_bytes=content_or_none(block.get("size")),
        weight=content_or_none(block.get("weight")),
        match_ratio=ratio_or_none(extras.get("matchRate"), 100.0),
        similarity_ratio=ratio_or_none(extras.get("similarity")),
        expected_fees_sats=fees_or_none(extras.get("expectedFees")),
        expected_weight=content_or_none(extras.get("expectedWeight")),
        source="mempool",
        seen_at_ms=seen_at_ms,
    )
