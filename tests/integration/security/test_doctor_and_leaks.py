"""What `doctor` says of security, what a mistake is answered with, and that no secret is in any of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from testkit.certificates import Authority
from testkit.ports import reserved_port
from tests.integration.runtime.cli import counterpoise
from tests.integration.security.conftest import SecuredEngines
from tests.integration.security.leaks import assert_hidden, command_lines, forms
from tests.integration.streams.blocks import branch
from tests.integration.streams.line import line_on
from tests.waiting import wait_for

KAFKA_SECRET = "K4fka/S3cret+of'this\"test"
KEY_SECRET = "K3y=S3cret&of%this test"


def doctor(state: Path, environment: dict[str, str]) -> tuple[dict[str, tuple[str, str]], str]:
    """Verdict and text of each check, and everything that was printed."""
    done = counterpoise("--state-dir", str(state), "doctor", "--offline", "--json", cwd=state, environment=environment)
    found = {one["check"]: (one["verdict"], one["said"]) for one in json.loads(done.stdout)}
    return found, done.stdout + done.stderr


@pytest.fixture
def state(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def test_doctor_names_the_security_in_use(secured: SecuredEngines, state: Path) -> None:
    found, _ = doctor(state, secured.environment)
    files = secured.files
    tls = f"TLS (CA {files['ca_file']}, client certificate {files['certificate_file']})"
    assert found["kafka"] == ("ok", f"{secured.bootstrap} answers: SSL, {tls}")
    verdict, said = found["clickhouse"]
    assert verdict == "ok" and said.startswith(f"127.0.0.1:{secured.clickhouse_front.port} answers, version ")
    assert said.endswith(f": {tls}")


def test_doctor_and_status_name_the_server_that_answers(secured: SecuredEngines, state: Path) -> None:
    answers, silent = f"127.0.0.1:{secured.clickhouse_front.port}", f"127.0.0.1:{reserved_port()}"
    several = {"HOST": f"{silent},{answers}", "CLUSTER": "none"}
    environment = secured.environment | {f"COUNTERPOISE_CLICKHOUSE__{name}": value for name, value in several.items()}
    found, _ = doctor(state, environment)
    verdict, said = found["clickhouse"]
    assert verdict == "warning" and said.startswith(f"{answers} answers, version ")
    assert f"; ClickHouse {silent}/default: " in said and "\n" not in said
    with line_on(secured, "several") as line:
        named = environment | {"COUNTERPOISE_DATASET": line.dataset, "COUNTERPOISE_DATASET_KIND": "historical"}
        shown = counterpoise("--state-dir", str(state), "status", "--json", cwd=state, environment=named)
    [engine] = [one for one in json.loads(shown.stdout)["engines"] if one["name"] == "clickhouse"]
    assert engine["where"] == answers and engine["problem"] is None


def test_doctor_names_each_mistake_with_the_next_step(
    secured: SecuredEngines, stranger: Authority, state: Path
) -> None:
    """One run, one mistake for each engine; every other mistake is in tests/contract/security."""
    for kafka, clickhouse, said in [
        (
            {"CA_FILE": str(stranger.ca_file)},
            {"PASSWORD": "Wr0ng"},
            ("to the CA that signed it", "check COUNTERPOISE_"),
        ),
        ({"CA_FILE": "/none.pem"}, {"KEY_FILE": "/none.pem"}, ("cannot be read: No such", "cannot be read: No such")),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "USER": "u", "PASSWORD": KAFKA_SECRET},
            {"PORT": str(secured.clickhouse.port)},
            (
                "it refuses user 'u' with this password (SCRAM-SHA-512): check",
                "this port does not use TLS: set COUNTERPOISE_CLICKHOUSE__PORT to",
            ),
        ),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "OAUTHBEARER", "TOKEN_FILE": "/none"},
            {"CA_FILE": str(stranger.ca_file)},
            ("COUNTERPOISE_KAFKA__TOKEN_FILE names '/none', which cannot be read", "to the CA that signed it"),
        ),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL"},
            {"SECURE": "false"},
            (
                "which needs COUNTERPOISE_KAFKA__USER",
                "COUNTERPOISE_CLICKHOUSE__CA_FILE is set, which a connection without",
            ),
        ),
    ]:
        wrong = {f"COUNTERPOISE_KAFKA__{name}": value for name, value in kafka.items()}
        wrong |= {f"COUNTERPOISE_CLICKHOUSE__{name}": value for name, value in clickhouse.items()}
        environment = secured.environment | wrong
        if "PASSWORD" in clickhouse:
            del environment["COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE"]
        found, printed = doctor(state, environment)
        for engine, part in zip(("kafka", "clickhouse"), said, strict=True):
            verdict, text = found[engine]
            assert verdict == "problem" and part in text and "\n" not in text, (engine, text)
        assert_hidden(printed, KAFKA_SECRET, "Wr0ng")


def test_no_secret_is_in_logs_output_or_command_lines(secured: SecuredEngines, state: Path) -> None:
    """With every secret in the environment and all that is logged: a service and its supervisor at work, and commands that fail."""
    made = load_pem_private_key(secured.files["key_file"].read_bytes(), None)
    key = state / "encrypted.pem"
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(KEY_SECRET.encode())))
    password = secured.clickhouse.password_file.read_text().strip()
    environment = secured.environment | {
        "COUNTERPOISE_LOG_LEVEL": "debug",
        "COUNTERPOISE_CLICKHOUSE__PASSWORD": password,
        "COUNTERPOISE_KAFKA__KEY_FILE": str(key),
        "COUNTERPOISE_KAFKA__KEY_PASSWORD": KEY_SECRET,
        "COUNTERPOISE_CLICKHOUSE__KEY_FILE": str(key),
        "COUNTERPOISE_CLICKHOUSE__KEY_PASSWORD": KEY_SECRET,
    }
    secrets = (password, KEY_SECRET, KAFKA_SECRET)
    with line_on(secured, "leak") as line:
        worker = line.start(settings=environment, supervised=True)
        line.send(branch(50))
        line.drain()
        line.wait_for("SELECT count() FROM blocks", 50)
        wait_for(lambda: "debug" in worker.log().lower(), "lines of the lowest level", worker.tail)
        if sys.platform == "linux":
            assert_hidden(command_lines(worker.pid), *secrets)
        status = line.state_dir("w0") / "run" / line.dataset / "streams.json"
        assert_hidden(status.read_text(), *secrets)
        assert worker.stop() == 0, worker.tail()
        assert_hidden(worker.log(), *secrets)
    sasl = {"SECURITY_PROTOCOL": "SASL_SSL", "USER": "u", "PASSWORD": KAFKA_SECRET, "SASL_MECHANISM": "PLAIN"}
    refused = environment | {f"COUNTERPOISE_KAFKA__{name}": value for name, value in sasl.items()}
    for arguments in (["doctor", "--offline"], ["migrate"], ["status"]):
        done = counterpoise("--state-dir", str(state), *arguments, cwd=state, environment=refused)
        assert done.returncode != 0
        assert_hidden(done.stdout + done.stderr, *secrets)


@pytest.mark.parametrize("form", sorted(forms(KAFKA_SECRET)))
def test_a_leak_would_be_found(form: str) -> None:
    with pytest.raises(AssertionError, match="a secret stands in"):
        assert_hidden(f"connecting with {form} now", KAFKA_SECRET)
