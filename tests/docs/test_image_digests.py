"""scripts/image_digests.py against a registry of ours that speaks the protocol: token, manifest, digest."""

from __future__ import annotations

import hashlib
import json
import runpy
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "image_digests.py"))
TOKEN = "a-token-of-this-registry"


def manifest(repository: str, tag: str) -> bytes:
    return json.dumps({"schemaVersion": 2, "of": f"{repository}:{tag}"}).encode()


class Registry(BaseHTTPRequestHandler):
    """Answers as a registry does: a token first, for this repository alone. `wrong` is a repository whose digest does not fit."""

    wrong: ClassVar[str | None] = None

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        host = f"http://{self.headers['Host']}"
        if url.path == "/token":
            scope = parse_qs(url.query)["scope"][0]
            self._send(200, json.dumps({"token": f"{TOKEN} {scope}"}).encode())
            return
        _, _, rest = url.path.partition("/v2/")
        repository, _, tag = rest.partition("/manifests/")
        if self.headers.get("Authorization") != f"Bearer {TOKEN} repository:{repository}:pull":
            challenge = f'Bearer realm="{host}/token",service="registry.example",scope="repository:{repository}:pull"'
            self._send(401, b"{}", {"WWW-Authenticate": challenge})
            return
        if "application/vnd.oci.image.index.v1+json" not in self.headers["Accept"]:
            self._send(404, b"{}")
            return
        body = manifest(repository, tag)
        named = body if repository != self.wrong else b"another"
        self._send(200, body, {"Docker-Content-Digest": f"sha256:{hashlib.sha256(named).hexdigest()}"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Registry, "wrong", None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def run(registry: str, output: Path) -> int:
    code: int = SCRIPT["main"](["--registry", registry, "--output", str(output)])
    return code


def test_every_image_of_compose_is_pinned_to_what_the_registry_has(registry: str, tmp_path: Path) -> None:
    output = tmp_path / "digests.yml"
    assert run(registry, output) == 0
    written = yaml.safe_load(output.read_text(encoding="utf-8"))["services"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    grafana = yaml.safe_load((ROOT / "deploy/grafana.yml").read_text(encoding="utf-8"))["services"]
    assert written.keys() == compose.keys() | grafana.keys()
    for name, service in written.items():
        original = (compose.get(name) or grafana[name]).get("image")
        image = service.get("image") or service["build"]["args"]["PYTHON_IMAGE"]
        tagged, _, digest = image.partition("@")
        assert tagged == (original if "image" in service else "python:3.12-slim-bookworm")
        repository, _, tag = tagged.partition(":")
        full = repository if "/" in repository else f"library/{repository}"
        assert digest == f"sha256:{hashlib.sha256(manifest(full, tag)).hexdigest()}"


def test_nothing_is_written_where_one_image_has_no_digest(
    registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "digests.yml"
    output.write_text("as before")
    monkeypatch.setattr(Registry, "wrong", "clickhouse/clickhouse-server")
    assert run(registry, output) == 1
    assert "clickhouse/clickhouse-server:26.9: the registry names sha256:" in capsys.readouterr().err
    assert run("http://127.0.0.1:1", output) == 1
    assert capsys.readouterr().err.endswith(f"; {output} is unchanged\n")
    assert output.read_text() == "as before"


@pytest.mark.parametrize("name", ["apache/kafka", "ghcr.io/a/b:1", "localhost/a:1", "python", "a/b:1@sha256:0"])
def test_an_image_without_a_tag_or_of_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected repository:tag of Docker Hub"):
        SCRIPT["Image"].parse(name)
