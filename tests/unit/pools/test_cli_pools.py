"""`counterpoise pools`: what each command prints, and what it refuses."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from counterpoise.errors import ConfigError, RetryableError
from counterpoise.pools.registry_file import load_registry
from desk.cli.pools import pools_app
from desk.registry_import import MAX_IMPORT_BYTES

FOUNDRY = "03bac50c044fd508662f466f756e6472792055534120506f6f6c202364726f70676f6c642f4344be31b3818e6d00000000"
PUBLIC = json.dumps([{"id": 1, "name": "Slush", "tags": ["/slush/"], "addresses": [], "link": ""}]).encode()


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(pools_app, list(arguments))


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, ConfigError), result.output
    return str(result.exception)


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, ThreadingHTTPServer)
        port = self.server.server_port
        where = {"/loop": "/loop", "/away": "/pools-v2.json", "/out": "http://example.org/x"}.get(self.path)
        if where is not None:
            self.send_response(302)
            self.send_header("Location", where if where.startswith("http:") else f"http://127.0.0.1:{port}{where}")
            self.end_headers()
            return
        status, body = {
            "/pools-v2.json": (200, PUBLIC),
            "/busy": (503, b""),
            "/big": (200, b" " * (MAX_IMPORT_BYTES + 1)),
        }.get(self.path, (404, b""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


def test_list() -> None:
    result = run("list")
    assert result.exit_code == 0
    assert "foundry-usa" in result.output
    pools = json.loads(run("list", "--json").output)
    assert [pool["slug"] for pool in pools] == [pool.slug for pool in load_registry()]


def test_show_by_any_name() -> None:
    fields = json.loads(run("show", "Slush", "--json").output)
    assert (fields["slug"], fields["entities"][0]["group"]) == ("braiins-pool", "antpool-and-friends")
    assert "/slush/" in run("show", "braiins-pool").output
    assert (
        refused("show", "nobody")
        == "pool 'nobody': not in the shipped registry; `counterpoise pools list` shows what is"
    )


def test_attribute() -> None:
    result = run("attribute", FOUNDRY, "--label", "Slush")
    assert result.exit_code == 0
    assert "pool: foundry-usa (code 1) by tag, CONFLICT" in result.output
    assert "claims height (BIP34): 837050" in result.output
    answer = json.loads(
        run("attribute", FOUNDRY, "--address", "bc1qxhmdufsvnuaaaer4ynz88fspdsxq2h9e9cetdj", "--json").output
    )
    assert (answer["slug"], answer["method"], answer["conflict"], answer["bip34_height"]) == (
        "foundry-usa",
        "address",
        False,
        837_050,
    )
    assert answer["candidates"][1] == {
        "slug": "foundry-usa",
        "method": "tag",
        "matched": "Foundry USA Pool",
        "offset": 10,
    }


def test_attribute_prints_what_a_file_says_as_text_and_not_as_markup() -> None:
    result = run("attribute", "--label", "[red]x[/]\x1b[31m")
    assert r"'[red]x[/]\x1b[31m'" in result.output
    assert "\x1b" not in result.output


def test_attribute_names_the_template_builder() -> None:
    script = "03a0bb0d" + "10" + b"OCEAN.XYZ\x0fMiner\x00".hex()
    assert "template built by: Miner" in run("attribute", script).output


def test_attribute_refuses() -> None:
    assert refused("attribute") == "attribute: no evidence; give a coinbase script in hexadecimal, --address or --label"
    assert refused("attribute", "xyz") == "coinbase 'xyz': expected hexadecimal digits, two for each byte"
    assert refused("attribute", "00" * 10_001) == "coinbase: 10001 bytes, expected at most 10000"


def test_import_a_file_then_check_it(tmp_path: Path) -> None:
    source, out = tmp_path / "pools-v2.json", tmp_path / "registry.yaml"
    source.write_bytes(PUBLIC)
    result = run("import", str(source), "--out", str(out))
    assert result.exit_code == 0, result.output
    assert f"{out}: 174 pools: 1 joined, 0 new, 0 facts skipped" in result.output
    assert run("check", str(out)).output == f"{out}: registry with 174 pools, 1 tags, 0 addresses; good\n"
    assert out.read_text().startswith(f"# Imported from {source} (tags read as regex).\n")
    assert refused("import", str(source), "--out", str(out)) == f"{out}: exists; choose another --out or add --force"
    assert run("import", str(source), "--out", str(out), "--force", "--merge").exit_code == 0
    assert len(load_registry(out).by_address) == len(load_registry().by_address)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["pools-v2.json", "registry.yaml"]


def test_import_from_a_url_follows_redirects(tmp_path: Path, server: str) -> None:
    out = tmp_path / "registry.yaml"
    result = run("import", f"{server}/away", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert load_registry(out).by_slug["braiins-pool"].tags


def test_import_refuses(tmp_path: Path, server: str) -> None:
    out = str(tmp_path / "registry.yaml")
    plain = "http://example.org/pools-v2.json"
    assert (
        refused("import", plain, "--out", out)
        == f"{plain}: expected an https URL (http only on this machine), or a file"
    )
    assert refused("import", "file:///etc/passwd", "--out", out).startswith("file:///etc/passwd: expected an https URL")
    assert (
        refused("import", f"{server}/out", "--out", out)
        == "http://example.org/x: expected an https URL (http only on this machine), or a file"
    )
    assert (
        refused("import", f"{server}/loop", "--out", out)
        == f"{server}/loop: more than 3 redirects; name the final address"
    )
    assert (
        refused("import", f"{server}/nothing", "--out", out)
        == f"{server}/nothing: answered 404, expected 200; check the address"
    )
    assert (
        refused("import", f"{server}/big", "--out", out)
        == f"{server}/big: more than 10000000 bytes, expected a registry"
    )
    assert refused("import", "missing.json", "--out", out).startswith("missing.json: cannot be read: No such file")
    assert (
        refused("import", "missing.json", "--out", out, "--tags", "some")
        == "--tags 'some': expected regex, text or auto"
    )
    busy = run("import", f"{server}/busy", "--out", out)
    assert isinstance(busy.exception, RetryableError)
    assert str(busy.exception) == f"{server}/busy: answered 503; try again later"
    assert not Path(out).exists()


def test_a_server_that_is_not_there_is_worth_another_try(tmp_path: Path, server: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as closed:
        port = closed.server_port
    result = run("import", f"http://127.0.0.1:{port}/x", "--out", str(tmp_path / "r.yaml"))
    assert isinstance(result.exception, RetryableError)


def test_check_an_entity_map_and_a_broken_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "map.yaml", tmp_path / "bad.yaml"
    member = "{pool: antpool, source: s, start: 2022-01-01}"
    text = f"format: counterpoise-entities/1\ngroups:\n- {{slug: g, name: G, members: [{member}]}}\n"
    good.write_text(text)
    bad.write_text(text.replace("pool: antpool", "pool: ant"))
    assert run("check", str(good)).output == f"{good}: entity map with 1 groups, 1 dates; good\n"
    assert refused("check", str(bad)) == f"{bad}: group 'g': pool: 'ant', expected a slug of the shipped registry"
    bad.write_text("format: counterpoise-registry/1\npools: [{code: 1}]")
    assert refused("check", str(bad)) == f"{bad}: pool number 1: slug: None, expected a slug such as 'foundry-usa'"
