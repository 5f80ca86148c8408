"""Work from compact targets, against Bitcoin's own figures."""

import pytest

from counterpoise.chain.work import work_from_bits


def test_genesis_difficulty_is_difficulty_one() -> None:
    # Chainwork of Bitcoin's genesis block as every node reports it: 0x100010001.
    assert work_from_bits(0x1D00FFFF) == 0x100010001


def test_difficulty_at_height_890440() -> None:
    # bits 386038124 and difficulty 113757508810854 as mempool.space's API gives them for that block;
    # work = difficulty x 2^48 / 65535 up to rounding (difficulty one is 0xffff x 2^208).
    work = work_from_bits(386038124)
    assert work / (2**48 / 65535) == pytest.approx(113757508810854, rel=1e-12)


@pytest.mark.parametrize("bits", [0, 0x01000000, 0x04800001, 0x23000001, 0xFF7FFFFF, -1, 2**32])
def test_target_that_no_header_may_have(bits: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        work_from_bits(bits)


def test_small_exponent_shifts_down() -> None:
    # exponent 1 keeps the top byte of the mantissa: target 0x12
    assert work_from_bits(0x01123456) == 2**256 // 0x13
