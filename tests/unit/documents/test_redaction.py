"""Credentials in every part of a URL that holds them, in every place where a person may read the URL."""

import io
import itertools
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from counterpoise.errors import ConfigError
from counterpoise.redaction import redact
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from desk.cli import root

SECRET = "s3cr3t"
PASSWORDS = [
    *(SECRET, f"{SECRET}@home", f"a:{SECRET}", f"a/{SECRET}", f"a?{SECRET}", f"a#{SECRET}", f"!{SECRET}$%^*()"),
    quote(f"ü/{SECRET}@"),
]
SCHEMES = ["http", "https", "kafka", "tcp", "postgresql+psycopg2", "wss", "clickhouse"]
HOSTS = ["node.example", "127.0.0.1:8332", "[::1]:9000", "localhost"]
PARAMETERS = [
    "token", "access_token", "api_key", "apikey", "api-key", "key", "password", "passwd", "pwd", "secret", "client_secret",
    "sig", "signature",
    "X-Amz-Signature", "X-Amz-Credential", "auth", "authToken", "session", "jwt", "code", "refresh_token", "TOKEN", "user[password]",
]  # fmt: skip
URLS = [
    *(f"{s}://user:{p}@{h}/path" for s, p, h in itertools.product(SCHEMES, PASSWORDS, HOSTS)),
    *(f"{s}://:{SECRET}@{h}" for s, h in itertools.product(SCHEMES, HOSTS)),
    *(f"{s}://{SECRET}@{h}" for s, h in itertools.product(SCHEMES, HOSTS)),
    *(f"https://{h}/rest?height=1&{p}={SECRET}&x=2" for h, p in itertools.product(HOSTS, PARAMETERS)),
    *(f"https://{h}/rest?{p}={SECRET}" for h, p in itertools.product(HOSTS, PARAMETERS)),
    *(f"https://{h}/rest#{p}={SECRET}" for h, p in itertools.product(HOSTS, PARAMETERS)),
    f"https://hooks.slack.com/services/T000/B000/{SECRET}",
    f"user:{SECRET}@broker.example:9092",
    f"one.example:9092,user:{SECRET}@two.example:9092",
]
FRAMES = ["{}", "cannot reach {}: refused", "'{}'", '"{}"', "({})", "<{}>", "a\n{}\nb", "{},{}", "url={}"]
HARMLESS = [
    "https://mempool.space/api/v1/blocks/840000",
    "https://registry.npmjs.org/@scope/name",
    "http://127.0.0.1:8123/?query=SELECT+1&database=counterpoise",
    "127.0.0.1:9092,127.0.0.1:9093",
    "desk@example.org wrote at 12:30",
    "height 840,000: 3 of 4 pools, 71.2 %",
]


@pytest.mark.parametrize("frame", FRAMES)
def test_no_secret_of_a_url_is_left(frame: str) -> None:
    for url in URLS:
        shown = redact(frame.format(url, url))
        assert SECRET not in shown, url
        assert "[hidden]" in shown
        assert redact(shown) == shown


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_the_host_stays() -> None:
    for url in (f"{s}://user:{SECRET}@{h}/path" for s, h in itertools.product(SCHEMES, HOSTS)):
        scheme, _, rest = url.partition("://")
        assert redact(url) == f"{scheme}://[hidden]@{rest.split('@')[1]}"


@pytest.mark.parametrize("url", [URLS[0], URLS[-1], f"https://node.example/?token={SECRET}"])
def test_errors_and_status_files_hide_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise ConfigError(f"cannot reach {url}")

    monkeypatch.setattr("counterpoise.settings.model.Settings.load", fail)
    assert root.main(["status"]) == 2
    assert root.main(["doctor"]) == 1
    assert root.main(["doctor", "--json"]) == 1
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert (out + err).count("hidden") == 3
    with ServiceStatus("ingest", tmp_path, SystemClock()) as status:
        status.waiting("source", f"cannot reach {url}")
        status.flush()
        assert SECRET not in (tmp_path / "ingest.json").read_text()


@pytest.mark.parametrize(
    "settings",
    [
        {"KAFKA__BOOTSTRAP_SERVERS": f"user:{SECRET}@127.0.0.1:1"},
        {"INGEST__SOURCE": "bitcoind", "INGEST__BITCOIND__URL": f"http://user:{SECRET}@127.0.0.1:1"},
        {"INGEST__SOURCE": "mempool", "INGEST__MEMPOOL__URL": f"http://user:{SECRET}@127.0.0.1:1/api"},
        {"INGEST__SOURCE": "mempool", "INGEST__MEMPOOL__URL": f"http://127.0.0.1:1/api?token={SECRET}"},
    ],
    ids=str,
)
def test_doctor_hides_it(
    settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COUNTERPOISE_STATE_DIR", str(tmp_path / "state"))
    for name, value in settings.items():
        monkeypatch.setenv(f"COUNTERPOISE_{name}", value)
    root.main(["doctor", "--json"])
    out, err = capsys.readouterr()
    assert json.load(io.StringIO(out))
    assert SECRET not in out + err
