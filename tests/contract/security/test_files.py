"""A file that a setting names and that cannot be used: one line with the setting, the file and the next step."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import SecretStr

from counterpoise.errors import ConfigError
from counterpoise.runtime.tls import client_context
from counterpoise.settings.security import Tls
from testkit.certificates import Authority

PREFIX = "COUNTERPOISE_KAFKA__"
KEY_SECRET = "K3y#of#this#test"


def encrypted(key: Path) -> Path:
    made = load_pem_private_key(key.read_bytes(), None)
    file = key.with_name("encrypted.pem")
    file.write_bytes(
        made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(KEY_SECRET.encode()))
    )
    return file


def said(tls: Tls) -> str:
    with pytest.raises(ConfigError) as caught:
        client_context(tls)
    message = str(caught.value)
    assert "\n" not in message and KEY_SECRET not in message
    return message


@pytest.fixture(scope="module")
def pair(authority: Authority) -> tuple[Path, Path]:
    return authority.certificate("counterpoise", file="of-files")


def test_missing_files(files: Path, pair: tuple[Path, Path]) -> None:
    none = files / "none.pem"
    end = f"names '{none}', which cannot be read: No such file or directory"
    assert said(Tls(PREFIX, ca_file=none)) == f"COUNTERPOISE_KAFKA__CA_FILE {end}"
    assert said(Tls(PREFIX, certificate_file=none)) == f"COUNTERPOISE_KAFKA__CERTIFICATE_FILE {end}"
    assert said(Tls(PREFIX, certificate_file=pair[0], key_file=none)) == f"COUNTERPOISE_KAFKA__KEY_FILE {end}"


def test_files_of_another_form(files: Path, pair: tuple[Path, Path]) -> None:
    other = files / "ca.der"
    other.write_bytes(b"\x30\x82\x01\x01 not PEM")
    assert (
        said(Tls(PREFIX, ca_file=other)) == f"{PREFIX}CA_FILE names '{other}', which holds no certificate in PEM form"
    )
    assert said(Tls(PREFIX, certificate_file=pair[0])) == (
        f"{PREFIX}CERTIFICATE_FILE names '{pair[0]}', which holds no private key in PEM form"
    ), "a certificate alone needs the key's file"
    cut = files / "cut.pem"
    cut.write_bytes(pair[0].read_bytes()[:200])
    assert said(Tls(PREFIX, ca_file=cut)).startswith(f"{PREFIX}CA_FILE names '{cut}', which is not usable: ")


def test_a_key_of_another_certificate(authority: Authority, pair: tuple[Path, Path]) -> None:
    _, other = authority.certificate("other", file="of-another")
    assert said(Tls(PREFIX, certificate_file=pair[0], key_file=other)) == (
        f"{PREFIX}KEY_FILE names '{other}', which is not the key of '{pair[0]}'"
    )


def test_an_encrypted_key(pair: tuple[Path, Path]) -> None:
    key = encrypted(pair[1])
    assert said(Tls(PREFIX, certificate_file=pair[0], key_file=key)) == (
        f"{PREFIX}KEY_FILE names '{key}', whose key is encrypted: set {PREFIX}KEY_PASSWORD_FILE"
    ), "and nobody is asked at the terminal"
    wrong = Tls(PREFIX, certificate_file=pair[0], key_file=key, key_password=SecretStr("wrong"))
    assert said(wrong) == f"{PREFIX}KEY_FILE names '{key}', whose key {PREFIX}KEY_PASSWORD does not open"
    client_context(Tls(PREFIX, certificate_file=pair[0], key_file=key, key_password=SecretStr(KEY_SECRET)))
