"""Output scripts and the addresses that registries list for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from counterpoise.pools.base58 import base58check_decode, base58check_encode
from counterpoise.pools.bech32 import is_witness_program, segwit_decode, segwit_encode
from counterpoise.pools.ripemd160 import ripemd160

_HASH160_BYTES = 20
_OP_0, _OP_1, _OP_16 = 0x00, 0x51, 0x60
_OP_CHECKSIG = 0xAC
_PUBLIC_KEY_PREFIXES = {33: b"\x02\x03", 65: b"\x04"}


@dataclass(frozen=True, slots=True)
class Network:
    """The address prefixes of one Bitcoin network."""

    name: str
    p2pkh_version: int
    p2sh_version: int
    segwit_prefix: str


MAINNET = Network("mainnet", p2pkh_version=0x00, p2sh_version=0x05, segwit_prefix="bc")


def hash160(data: bytes) -> bytes:
    """Return RIPEMD-160 of SHA-256, 20 bytes."""
    return ripemd160(hashlib.sha256(data).digest())


def output_address(script: bytes, network: Network = MAINNET) -> str | None:
    """Return the address of an output script (scriptPubKey), or None where it has none.

    P2PKH, P2SH, P2WPKH, P2WSH, P2TR and later witness versions give their own address. P2PK gives the P2PKH address of its key:
    it has no address by itself, and that is the form in which registries list the coinbases of the early pools. Everything
    else (OP_RETURN, bare multisig, nonsense) gives None; nothing raises.
    """
    size = len(script)
    if size == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return base58check_encode(bytes([network.p2pkh_version]) + script[3:23])
    if size == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
        return base58check_encode(bytes([network.p2sh_version]) + script[2:22])
    if size >= 4 and (script[0] == _OP_0 or _OP_1 <= script[0] <= _OP_16) and script[1] == size - 2:
        version = 0 if script[0] == _OP_0 else script[0] - _OP_1 + 1
        program = script[2:]
        return segwit_encode(network.segwit_prefix, version, program) if is_witness_program(version, program) else None
    if size in (35, 67) and script[0] == size - 2 and script[-1] == _OP_CHECKSIG:
        key = script[1:-1]
        if key[0] in _PUBLIC_KEY_PREFIXES[len(key)]:
            return base58check_encode(bytes([network.p2pkh_version]) + hash160(key))
    return None


def normal_address(text: str, network: Network = MAINNET) -> str | None:
    """Return the one spelling of a valid address of this network (segwit in lower case), or None where it is not valid."""
    if segwit_decode(network.segwit_prefix, text) is not None:
        return text.lower()
    payload = base58check_decode(text)
    if payload is None or len(payload) != 1 + _HASH160_BYTES:
        return None
    return text if payload[0] in (network.p2pkh_version, network.p2sh_version) else None
