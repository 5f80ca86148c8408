"""The token of OAUTHBEARER: read anew at each login, refused in one line before it is sent, and never printed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.errors import ConfigError
from counterpoise.kafka.clients import security_arguments
from counterpoise.kafka.token_file import TokenFile, expiry
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.security import KafkaSecurity
from streams.faust_app import AwaitedToken
from testkit.kafka_listeners import unsecured_token

NOW = 1_800_000_000.0
NAME = "S3cret-of-this-test"


def provider(file: Path) -> TokenFile:
    return TokenFile(file, lambda: NOW)


def token(**claims: Any) -> str:
    return unsecured_token({"sub": NAME} | claims)


@pytest.mark.parametrize("written", ["{}", "{}\n", "\n  {}\r\n"])
@pytest.mark.parametrize("held", [token(exp=NOW + 1), token(), "opaque-token", "a.b", "a.b.c.d.e", "~+/=="])
def test_each_login_reads_the_file(tmp_path: Path, written: str, held: str) -> None:
    file = tmp_path / "token"
    source = provider(file)
    for text in (held, "renewed"):
        file.write_text(written.format(text))
        assert source.token() == text
        assert asyncio.run(AwaitedToken(source).token()) == text


WRONG = {
    "empty": ("", "which is empty: write the token into it"),
    "blank": (" \n\n", "which is empty: write the token into it"),
    "two lines": (f"{NAME}\n{NAME}", "which is not a token: expected one line of letters"),
    "control character": (f"{NAME}\x01auth=Bearer x", "which is not a token: expected one line of letters"),
    "JSON": (json.dumps({"access_token": NAME}), "which is not a token: expected one line of letters"),
    "long": (NAME * 1_000, "which is over 16384 bytes: not a secret"),
    "expired": (token(exp=NOW), "whose token has expired at 2027-01-15 08:00:00 UTC: renew it, or set this machine's"),
    "long expired": (token(exp=-1e300), "whose token has expired: renew it, or set this machine's"),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_what_cannot_be_a_token_is_one_line(tmp_path: Path, case: str) -> None:
    file = tmp_path / "token"
    written, said = WRONG[case]
    file.write_text(written)
    assert_refused(file, said)


def test_a_file_that_is_missing_or_of_bytes_is_one_line(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none", "which cannot be read: [Errno 2]")
    assert_refused(tmp_path, "which cannot be read: [Errno 21]")
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    assert_refused(tmp_path / "token", "which cannot be read: 'utf-8'")


def assert_refused(file: Path, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        provider(file).token()
    text = str(caught.value)
    assert text.startswith(f"COUNTERPOISE_KAFKA__TOKEN_FILE names {str(file)!r}, {said}"), text
    assert "\n" not in text and NAME not in text
    with pytest.raises(KafkaError, match="COUNTERPOISE_KAFKA__TOKEN_FILE names"):
        asyncio.run(AwaitedToken(provider(file)).token())


def test_no_client_is_made_with_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    """Before a connection: a broker that is down hides no mistake."""
    target = KafkaTarget("127.0.0.1:1", KafkaSecurity("SASL_PLAINTEXT", "OAUTHBEARER", token_file=tmp_path / "none"))
    with pytest.raises(ConfigError, match="which cannot be read"):
        security_arguments(target)


def test_the_provider_prints_the_file_only(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(NAME)
    source = TokenFile(tmp_path / "token")
    source.token()
    assert NAME not in repr(source) + repr(AwaitedToken(source)) + repr(vars(source))


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(10**400)


@given(st.text(max_size=40) | st.dictionaries(st.sampled_from(["exp", "sub"]), values).map(unsecured_token))
def test_any_text_has_an_expiry_or_none(text: str) -> None:
    found = expiry(text)
    assert found is None or isinstance(found, float)


@given(st.integers(-(2**62), 2**62) | st.floats(-1e300, 1e300))
def test_an_expiry_is_the_claim(seconds: float) -> None:
    assert expiry(unsecured_token({"exp": seconds})) == float(seconds)
