"""Output scripts and the addresses that registries list for them."""

from __future__ import annotations

import hashlib

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain_registry import BITCOIN, CHAINS
from counterpoise.pools.base58 import base58check_decode, base58check_encode
from counterpoise.pools.bech32 import is_witness_program, segwit_decode, segwit_encode
from counterpoise.pools.cashaddr import PAY_TO_KEY_HASH, PAY_TO_SCRIPT_HASH, cashaddr_decode, cashaddr_encode
from counterpoise.pools.ripemd160 import ripemd160

_HASH160_BYTES = 20
_OP_0, _OP_1, _OP_16 = 0x00, 0x51, 0x60
_OP_CHECKSIG = 0xAC
_PUBLIC_KEY_PREFIXES = {33: b"\x02\x03", 65: b"\x04"}
_CASH_SIZES = {PAY_TO_KEY_HASH: (20,), PAY_TO_SCRIPT_HASH: (20, 32)}


def hash160(data: bytes) -> bytes:
    """Return RIPEMD-160 of SHA-256, 20 bytes."""
    return ripemd160(hashlib.sha256(data).digest())


def output_address(script: bytes, form: AddressFormat = BITCOIN.addresses) -> str | None:
    """Return the address of an output script (scriptPubKey) as a node of the chain writes it, or None where it has none.

    P2PKH, P2SH, P2WPKH, P2WSH, P2TR and later witness versions give their own address, witness programs on a chain that has them.
    P2PK gives the P2PKH address of its key: it has no address by itself, and that is the form in which registries list the
    coinbases of the early pools. P2SH of 32 bytes exists where addresses are CashAddr. Everything else (OP_RETURN, bare multisig,
    nonsense) gives None; nothing raises.
    """
    size = len(script)
    if size == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return _key_address(script[3:23], form)
    if size == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
        return _script_address(script[2:22], form)
    if size == 35 and form.cash_prefix is not None and script[:2] == b"\xaa\x20" and script[34] == 0x87:
        return _script_address(script[2:34], form)
    if size in (35, 67) and script[0] == size - 2 and script[-1] == _OP_CHECKSIG:
        key = script[1:-1]
        return _key_address(hash160(key), form) if key[0] in _PUBLIC_KEY_PREFIXES[len(key)] else None
    if form.segwit_prefix is None:
        return None
    if size >= 4 and (script[0] == _OP_0 or _OP_1 <= script[0] <= _OP_16) and script[1] == size - 2:
        version = 0 if script[0] == _OP_0 else script[0] - _OP_1 + 1
        program = script[2:]
        return segwit_encode(form.segwit_prefix, version, program) if is_witness_program(version, program) else None
    return None


def normal_address(text: str, form: AddressFormat = BITCOIN.addresses) -> str | None:
    """Return the one spelling of a valid address of this form, or None where it is not valid.

    Segwit is in lower case. Where nodes write CashAddr, so is every address, with its prefix. A version byte of old is replaced.
    """
    if form.segwit_prefix is not None and segwit_decode(form.segwit_prefix, text) is not None:
        return text.lower()
    if form.cash_prefix is not None and (cash := cashaddr_decode(form.cash_prefix, text)) is not None:
        kind, hashed = cash
        return cashaddr_encode(form.cash_prefix, *cash) if len(hashed) in _CASH_SIZES.get(kind, ()) else None
    payload = base58check_decode(text)
    if payload is None or len(payload) != 1 + _HASH160_BYTES:
        return None
    if payload[0] == form.p2pkh_version:
        return _key_address(payload[1:], form)
    return _script_address(payload[1:], form) if payload[0] in (form.p2sh_version, *form.old_p2sh_versions) else None


def normal_address_of_any(text: str) -> str | None:
    """Return the spelling of an address of any known chain, or None; what several chains write alike is taken for the first one's."""
    found = (normal_address(text, chain.addresses) for chain in CHAINS.values())
    return next((address for address in found if address is not None), None)


def _key_address(hashed: bytes, form: AddressFormat) -> str:
    if form.cash_prefix is not None:
        return cashaddr_encode(form.cash_prefix, PAY_TO_KEY_HASH, hashed)
    return base58check_encode(bytes([form.p2pkh_version]) + hashed)


def _script_address(hashed: bytes, form: AddressFormat) -> str:
    if form.cash_prefix is not None:
        return cashaddr_encode(form.cash_prefix, PAY_TO_SCRIPT_HASH, hashed)
    return base58check_encode(bytes([form.p2sh_version]) + hashed)
