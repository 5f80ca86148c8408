"""CashAddr: its specification's vectors, and what no change of an address may get past."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.pools.bech32 import CHARACTERS
from counterpoise.pools.cashaddr import HASH_BYTES, cashaddr_decode, cashaddr_encode


@pytest.mark.parametrize(
    ("kind", "address", "payload"),
    [  # spec/cashaddr.md, "larger test vectors"
        (
            0,
            "bitcoincash:qr6m7j9njldwwzlg9v7v53unlr4jkmx6eylep8ekg2",
            "f5bf48b397dae70be82b3cca4793f8eb2b6cdac9",
        ),
        (1, "bchtest:pr6m7j9njldwwzlg9v7v53unlr4jkmx6eyvwc0uz5t", "f5bf48b397dae70be82b3cca4793f8eb2b6cdac9"),
        (1, "pref:pr6m7j9njldwwzlg9v7v53unlr4jkmx6ey65nvtks5", "f5bf48b397dae70be82b3cca4793f8eb2b6cdac9"),
        (15, "prefix:0r6m7j9njldwwzlg9v7v53unlr4jkmx6ey3qnjwsrf", "f5bf48b397dae70be82b3cca4793f8eb2b6cdac9"),
        (
            0,
            "bitcoincash:q9adhakpwzztepkpwp5z0dq62m6u5v5xtyj7j3h2ws4mr9g0",
            "7adbf6c17084bc86c1706827b41a56f5ca32865925e946ea",
        ),
        (
            1,
            "bchtest:p9adhakpwzztepkpwp5z0dq62m6u5v5xtyj7j3h2u94tsynr",
            "7adbf6c17084bc86c1706827b41a56f5ca32865925e946ea",
        ),
        (
            0,
            "bitcoincash:qvch8mmxy0rtfrlarg7ucrxxfzds5pamg73h7370aa87d80gyhqxq5nlegake",
            "3173ef6623c6b48ffd1a3dcc0cc6489b0a07bb47a37f47cfef4fe69de825c060",
        ),
    ],
)
def test_published_vectors_both_ways(kind: int, address: str, payload: str) -> None:
    prefix, _, rest = address.partition(":")
    assert cashaddr_encode(prefix, kind, bytes.fromhex(payload)) == address
    for text in (address, rest, address.upper()):
        assert cashaddr_decode(prefix, text) == (kind, bytes.fromhex(payload))


HASHES = st.sampled_from(HASH_BYTES).flatmap(lambda size: st.binary(min_size=size, max_size=size))


@given(st.integers(0, 15), HASHES)
def test_every_address_decodes_to_what_it_was_made_of(kind: int, hashed: bytes) -> None:
    assert cashaddr_decode("bitcoincash", cashaddr_encode("bitcoincash", kind, hashed)) == (kind, hashed)


@given(st.integers(0, 1), st.binary(min_size=20, max_size=20), st.data())
def test_up_to_five_wrong_characters_are_always_found(kind: int, hashed: bytes, data: st.DataObject) -> None:
    """The code's distance is 6: five substitutions never give another valid address."""
    head, _, rest = cashaddr_encode("bitcoincash", kind, hashed).partition(":")
    places = data.draw(st.sets(st.integers(0, len(rest) - 1), min_size=1, max_size=5))
    wrong = list(rest)
    for place in places:
        wrong[place] = data.draw(st.sampled_from([c for c in CHARACTERS if c != rest[place]]))
    assert cashaddr_decode("bitcoincash", f"{head}:{''.join(wrong)}") is None


@given(st.text(max_size=170))
def test_no_text_raises(text: str) -> None:
    cashaddr_decode("bitcoincash", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "bitcoincash:",
        "bchtest:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
        "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdX6a",
        "bitcoincash:bpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
        "bitcoincash:" + "q" * 200,
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert cashaddr_decode("bitcoincash", text) is None


@pytest.mark.parametrize(("kind", "size"), [(16, 20), (-1, 20), (0, 0), (0, 19), (1, 33)])
def test_what_has_no_address(kind: int, size: int) -> None:
    with pytest.raises(ValueError, match="CashAddr has no address of type"):
        cashaddr_encode("bitcoincash", kind, bytes(size))
