"""The miner's tag in a DATUM coinbase, from the gateway's documented layout: height push, tags push, unique-id push."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.pools.template_builder import datum_template_builder

HEIGHT = bytes.fromhex("03a0bb0d")


def pushed(tags: bytes) -> bytes:
    length = bytes([len(tags)]) if len(tags) <= 75 else bytes([0x4C, len(tags)])
    return HEIGHT + length + tags + bytes.fromhex("03002a10")


@pytest.mark.parametrize(
    ("script", "builder"),
    [
        (pushed(b"OCEAN.XYZ\x0fPool of One\x00"), "Pool of One"),
        (pushed(b"OCEAN.XYZ\x0f" + "🐵 café".encode() + b"\x00"), "🐵 café"),
        (pushed(b"OCEAN.XYZ\x0f" + b"x" * 70 + b"\x00"), "x" * 64),  # OP_PUSHDATA1; names are cut
        (pushed(b"OCEAN.XYZ\x0fminer\x0fthird\x00"), "miner"),
        (pushed(b"OCEAN.XYZ\x0f\xff\x1b[31mred\x00"), "\ufffd[31mred"),  # no escape sequence reaches a terminal
        (pushed(b"OCEAN.XYZ\x0f\x00"), None),
        (pushed(b"OCEAN.XYZ\x00"), None),  # OCEAN's own template
        (pushed(b"OCEAN.XYZ\x0fminer\x00")[:12], None),  # truncated
        (HEIGHT, None),
        (HEIGHT + b"\x4c", None),
        (b"", None),
        (b"\x2f", None),
    ],
)
def test_builder(script: bytes, builder: str | None) -> None:
    assert datum_template_builder(script) == builder


@given(st.binary(max_size=120))
def test_never_raises(script: bytes) -> None:
    builder = datum_template_builder(script)
    assert builder is None or (0 < len(builder) <= 64 and builder.isprintable())
