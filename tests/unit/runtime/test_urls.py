"""What a URL shows of itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from counterpoise import urls

WORDS = st.text("abcdefgh0123456789-_.~%", min_size=1, max_size=12)


@given(user=WORDS, password=WORDS, query=WORDS, fragment=WORDS, path=WORDS)
def test_no_credential_query_or_fragment_is_shown(
    user: str, password: str, query: str, fragment: str, path: str
) -> None:
    url = f"https://X{user}:X{password}@desk.example:8443/{path}?k=X{query}#X{fragment}"
    assert urls.shown_url(url) == f"https://desk.example:8443/{path}"
    assert urls.shown_url(url, path=False) == "https://desk.example:8443/…"
