"""Settings to security to client arguments: complete or refused, the same for every client, and never a secret in a text."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from counterpoise.errors import ConfigError
from counterpoise.kafka.client_arguments import client_arguments
from counterpoise.kafka.listener import Listener, mismatch
from counterpoise.kafka.token_file import TokenFile
from counterpoise.settings.endpoints import KafkaTarget, clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.engine_sections import ClickHouseSettings, KafkaSettings
from counterpoise.settings.security import PLAINTEXT, KafkaSecurity, clickhouse_tls, kafka_security
from streams.faust_app import AwaitedToken, faust_credentials

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
SECRET = "S3cret#of#this#test"

passwords = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12).map(lambda end: SECRET + end)
files = st.sampled_from([None, Path("/etc/kafka/some.pem")])
kafka_groups = st.fixed_dictionaries(
    {
        "security_protocol": st.sampled_from(PROTOCOLS),
        "sasl_mechanism": st.sampled_from(MECHANISMS),
        "user": st.none() | st.sampled_from(["", "counterpoise"]),
        "password": st.none() | st.just("") | passwords,
        "token_file": files,
        "ca_file": files,
        "certificate_file": files,
        "key_file": files,
        "key_password": st.none() | passwords,
        "verify_hostname": st.booleans(),
    }
)


def is_complete(group: dict[str, Any]) -> bool:
    """The rule, said once more: SASL needs user and password, or a token's file; nothing else may have them. Files need TLS, a key a
    certificate."""
    sasl, tls = group["security_protocol"].startswith("SASL"), group["security_protocol"].endswith("SSL")
    named = group["user"] is not None or group["password"] is not None
    if sasl and group["sasl_mechanism"] == "OAUTHBEARER":
        login = bool(group["token_file"]) and not named
    else:
        login = (bool(group["user"] and group["password"]) if sasl else not named) and not group["token_file"]
    any_file = any(group[name] for name in ("ca_file", "certificate_file", "key_file"))
    return login and (tls or not any_file) and (not group["key_file"] or bool(group["certificate_file"]))


@given(kafka_groups)
def test_a_group_of_kafka_settings_is_used_whole_or_refused(group: dict[str, Any]) -> None:
    settings = KafkaSettings(**group)
    try:
        security = kafka_security(settings)
    except ConfigError as error:
        assert not is_complete(group)
        assert str(error).startswith("COUNTERPOISE_KAFKA__") and "\n" not in str(error) and SECRET not in str(error)
        return
    assert is_complete(group)
    context = None if security.tls is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    arguments = client_arguments(security, context)
    wanted = {"security_protocol": group["security_protocol"]}
    if group["security_protocol"].endswith("SSL"):
        wanted["ssl_context"] = context
        assert security.tls is not None
        assert (security.tls.ca_file, security.tls.certificate_file) == (group["ca_file"], group["certificate_file"])
        assert security.tls.verify and security.tls.verify_hostname == group["verify_hostname"]
    by_token = {}
    if group["token_file"]:
        wanted["sasl_mechanism"] = "OAUTHBEARER"
        by_token["sasl_oauth_token_provider"] = TokenFile(group["token_file"])
    elif group["security_protocol"].startswith("SASL"):
        wanted |= {
            "sasl_mechanism": group["sasl_mechanism"],
            "sasl_plain_username": group["user"],
            "sasl_plain_password": group["password"],
        }
    assert arguments == wanted | by_token
    through_faust = credentials_to_aiokafka_auth(faust_credentials(arguments), None)
    awaited = {name: AwaitedToken(source) for name, source in by_token.items()}
    assert {name: value for name, value in through_faust.items() if value is not None} == wanted | awaited
    target = KafkaTarget("broker:9093", security)
    for text in (
        repr(settings),
        repr(target),
        security.description(),
        repr(arguments),
        repr(faust_credentials(arguments)),
    ):
        assert SECRET not in text


@pytest.mark.parametrize(("protocol", "given"), [("SSL", False), ("SASL_SSL", False), ("PLAINTEXT", True)])
def test_tls_without_a_context_and_a_context_without_tls_are_bugs(protocol: str, given: bool) -> None:
    settings = KafkaSettings(security_protocol=protocol)
    security = kafka_security(settings) if not protocol.startswith("SASL") else _sasl(protocol)
    with pytest.raises(ValueError, match="TLS context"):
        client_arguments(security, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if given else None)


def _sasl(protocol: str, mechanism: str = "PLAIN") -> KafkaSecurity:
    login: dict[str, Any] = {"user": "u", "password": SecretStr(SECRET)}
    if mechanism == "OAUTHBEARER":
        login = {"token_file": Path("/run/secrets/token")}
    return kafka_security(KafkaSettings(security_protocol=protocol, sasl_mechanism=mechanism, **login))


def _security(protocol: str, mechanism: str) -> KafkaSecurity:
    if protocol.startswith("SASL"):
        return _sasl(protocol, mechanism)
    return kafka_security(KafkaSettings(security_protocol=protocol))


listeners = st.builds(
    Listener,
    st.booleans(),
    st.none() | st.lists(st.sampled_from([*MECHANISMS, "GSSAPI"]), unique=True, max_size=3).map(tuple),
)


@given(st.sampled_from(PROTOCOLS), st.sampled_from(MECHANISMS), listeners)
def test_a_listener_fits_where_protocol_and_mechanism_are_its_own(
    protocol: str, mechanism: str, listener: Listener
) -> None:
    security = _security(protocol, mechanism)
    why = mismatch(security, listener)
    fits = (security.tls is not None) == listener.tls and (security.mechanism is None) == (listener.mechanisms is None)
    if fits and security.mechanism is not None and listener.mechanisms:
        fits = security.mechanism in listener.mechanisms
    assert (why is None) == fits
    if why is not None:
        assert "\n" not in why and SECRET not in why and "COUNTERPOISE_KAFKA__" in why


def test_names_are_taken_in_either_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOISE_KAFKA__SECURITY_PROTOCOL", "sasl_ssl")
    monkeypatch.setenv("COUNTERPOISE_KAFKA__SASL_MECHANISM", "scram-sha-256")
    kafka = Settings.load().kafka
    assert (kafka.security_protocol, kafka.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-256")


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    security = kafka_security(KafkaSettings(security_protocol="SASL_SSL", user="u", password_file=file))
    assert security.password == SecretStr(SECRET)
    missing = KafkaSettings(security_protocol="SASL_SSL", user="u", password_file=tmp_path / "none")
    with pytest.raises(ConfigError, match=r"COUNTERPOISE_KAFKA__PASSWORD_FILE names '.*none', which cannot be read"):
        kafka_security(missing)


tls_names: dict[str, Any] = dict.fromkeys(("ca_file", "certificate_file", "key_file"), files)
tls_names["server_name"] = st.none() | st.just("clickhouse.internal")


@given(st.booleans(), st.booleans(), st.fixed_dictionaries(tls_names))
def test_a_group_of_clickhouse_settings_is_used_whole_or_refused(
    secure: bool, verify: bool, group: dict[str, Any]
) -> None:
    complete = not any(group.values()) if not secure else not group["key_file"] or bool(group["certificate_file"])
    try:
        tls = clickhouse_tls(ClickHouseSettings(secure=secure, verify=verify, **group))
    except ConfigError as error:
        assert not complete and str(error).startswith("COUNTERPOISE_CLICKHOUSE__")
        return
    assert complete and (tls is not None) == secure
    if tls is not None:
        assert {name: getattr(tls, name) for name in group} == group
        assert tls.verify == verify


def test_tls_and_hostnames_are_verified_unless_a_setting_says_otherwise() -> None:
    kafka = kafka_security(KafkaSettings(security_protocol="SSL")).tls
    clickhouse = clickhouse_tls(ClickHouseSettings(secure=True))
    assert kafka is not None and clickhouse is not None
    assert kafka.verify and kafka.verify_hostname and clickhouse.verify and clickhouse.verify_hostname


def test_only_plain_and_a_token_without_tls_show_the_secret() -> None:
    shown = {
        (protocol, mechanism)
        for protocol in PROTOCOLS
        for mechanism in MECHANISMS
        if _security(protocol, mechanism).is_readable_on_the_way
    }
    assert shown == {("SASL_PLAINTEXT", "PLAIN"), ("SASL_PLAINTEXT", "OAUTHBEARER")}
    assert not PLAINTEXT.is_readable_on_the_way, "there is no password"


def test_the_embedded_engines_take_no_security(tmp_path: Path) -> None:
    from counterpoise.settings.endpoints import EmbeddedEndpoints

    for name in ("a", "b"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o600)
    tmp_path.chmod(0o700)
    EmbeddedEndpoints("127.0.0.1:1", "127.0.0.1", 2, 3, str(tmp_path / "a"), str(tmp_path / "b")).write(tmp_path)
    settings = Settings.load(state_dir=tmp_path, kafka={"security_protocol": "SSL"}, clickhouse={"secure": True})
    with pytest.raises(ConfigError, match="the embedded broker speaks PLAINTEXT: set COUNTERPOISE_KAFKA__BOOTSTRAP_"):
        kafka_target(settings)
    with pytest.raises(ConfigError, match="the embedded server has no TLS: set COUNTERPOISE_CLICKHOUSE__HOST too"):
        clickhouse_target(settings)
