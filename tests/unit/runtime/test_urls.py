"""What a URL shows of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise import urls
from counterpoise.errors import ConfigError
from desk.cli.registry_fetch import read_source

WORDS = st.text("abcdefgh0123456789-_.~%", min_size=1, max_size=12)


@given(user=WORDS, password=WORDS, query=WORDS, fragment=WORDS, path=WORDS)
def test_no_credential_query_or_fragment_is_shown(
    user: str, password: str, query: str, fragment: str, path: str
) -> None:
    url = f"https://X{user}:X{password}@desk.example:8443/{path}?k=X{query}#X{fragment}"
    assert urls.shown_url(url) == f"https://desk.example:8443/{path}"
    assert urls.shown_url(url, path=False) == "https://desk.example:8443/…"


@given(st.text("htps:/[]@.x1 \t?#%é", max_size=20) | st.text(max_size=20))
def test_any_text_has_parts_that_can_be_asked_for(text: str) -> None:
    """Nothing that a person or a server writes as an address is an exception."""
    parts = urls.split_url(text)
    assert (parts.hostname, parts.port) is not None
    assert isinstance(urls.shown_url(text), str)


@pytest.mark.parametrize("text", ["https://[x", "https://a:port/x", "http://[::1", "https://"])
def test_an_import_from_no_address_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="expected an https URL"):
        read_source(text)
