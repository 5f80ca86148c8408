"""The push endpoint over real HTTP: what it accepts is on disk, what it refuses it explains, and nobody can hold it up."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.ingest_releases.pushing import TOKEN, WITHOUT_TLS, Pushing, pushing
from tests.unit.ingest_releases.releases import a_document, a_release
from tests.waiting import PATIENCE_SECONDS, wait_for


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pushing(tmp_path_factory.mktemp("push")) as running:
        yield running


def post(endpoint: Pushing, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(endpoint.releases, content=content, headers=endpoint.headers | headers, **WITHOUT_TLS)


def test_an_accepted_release_is_on_disk_under_the_id_of_its_content(endpoint: Pushing) -> None:
    answer = post(endpoint, a_document("Amazon", 5.0))
    assert answer.status_code == 202, answer.text
    release = a_release("Amazon", 5.0)
    assert answer.json() == {
        "release_id": release.release_id,
        "series": "epoch-ai-compute-owners",
        "chunks": 1,
        "observations": 1,
        "duplicate": False,
        "status": "accepted",
    }
    stored = endpoint.journal.read(release.release_id)
    assert stored is not None
    assert stored.events[0].observations == release.observations
    again = post(endpoint, a_document("Amazon", 5.0))
    assert (again.status_code, again.json()["duplicate"]) == (202, True)
    assert endpoint.journal.pending().count(release.release_id) == 1


def test_a_big_release_is_cut_into_chunks(endpoint: Pushing) -> None:
    observations = [{"owner": f"owner {i}", "value": i} for i in range(2_500)]
    answer = post(endpoint, a_document(observations=observations))
    assert (answer.status_code, answer.json()["chunks"], answer.json()["observations"]) == (202, 3, 2_500)


def test_a_release_is_taken_back_by_its_content(endpoint: Pushing) -> None:
    release_id = post(endpoint, a_document("Oracle")).json()["release_id"]
    answer = post(endpoint, a_document("Oracle", withdrawn=True))
    assert (answer.status_code, answer.json()["release_id"]) == (202, release_id)
    stored = endpoint.journal.read(f"{release_id}:withdrawn")
    assert stored is not None
    assert stored.events[0].withdrawn
    assert stored.events[0].observations == ()


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"series": "no-such-series"}, "series", "'no-such-series' is not in the catalogue; it has "),
        ({"series": "Not A Slug"}, "series", "String should match pattern"),
        ({"layer": "serving"}, "layer", "'serving', but series epoch-ai-compute-owners is of layer 'ownership'"),
        ({"unit": "chips"}, "unit", "'chips', but series epoch-ai-compute-owners is of unit 'H100-equivalents'"),
        ({"kind": "forecast"}, "kind", "'forecast', but series epoch-ai-compute-owners is of kind 'measured'"),
        ({"period_end": "2025-02-30"}, "period_end", "Value error, day is out of range for month"),
        ({"period_start": "2026-01-01"}, "(document)", "Value error, period_start is after period_end"),
        ({"period_start": "1800-01-01"}, "period_start", "1800-01-01 is not between 1900-01-01 and 2299-12-31"),
        ({"published_at_ms": 4_000_000_000_000}, "published_at_ms", "4000000000000 is more than a day in the future"),
        (
            {"published_at_ms": 1_770_000_000},
            "published_at_ms",
            "1770000000 is 1970-01-21: expected milliseconds since 1970, not seconds",
        ),
        ({"published_at_ms": "yesterday"}, "published_at_ms", "Input should be a valid integer"),
        ({"observations": []}, "observations", "Tuple should have at least 1 item after validation, not 0"),
        (
            {"observations": [{"owner": "A", "value": -1}]},
            "observations.0.value",
            "Input should be greater than or equal to 0",
        ),
        (
            {"observations": [{"owner": "A", "value": 1}, {"owner": "B", "value": 1, "value_p5": 2}]},
            "observations.1",
            "Value error, value_p5 and value_p95 come together or not at all",
        ),
        (
            {"observations": [{"owner": "A", "value": 1}, {"owner": "A", "value": 2}]},
            "observations",
            "two observations of ('A', 'unknown', '', '') in one release of epoch-ai-compute-owners",
        ),
        ({"colour": "red"}, "colour", "Extra inputs are not permitted"),
    ],
)
def test_a_document_that_is_no_release_is_told_which_field(
    endpoint: Pushing, change: dict[str, Any], field: str, message: str
) -> None:
    answer = post(endpoint, a_document() | change)
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert body["error"] == "bad-release"
    assert body["fields"][0]["field"] == field
    assert body["fields"][0]["message"].startswith(message)
    assert body["message"].startswith(f"{field}: {message}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"series": "\\ud800"}',
        b'{"a":' * 5_000,
        json.dumps(a_document()).encode().replace(b"5.0", b"NaN"),
        b"9" * 5_000 + b"x",
    ],
    ids=["empty", "cut", "not-utf8", "deep-list", "lone-surrogate", "deep-object", "nan", "long-number"],
)
def test_malformed_bodies_are_refused_in_words(endpoint: Pushing, body: bytes) -> None:
    answer = post(endpoint, body)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["message"]


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"]
)
def test_without_the_token_nothing_is_read(endpoint: Pushing, authorization: str) -> None:
    headers = {b"Authorization": authorization.encode("latin-1"), b"Content-Type": b"application/json"}
    answer = httpx.post(endpoint.releases, json=a_document(), headers=headers, **WITHOUT_TLS)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_other_content_types_methods_and_paths_are_named(endpoint: Pushing) -> None:
    assert post(endpoint, a_document(), **{"Content-Type": "text/csv"}).status_code == 415
    assert post(endpoint, a_document(), **{"Content-Encoding": "gzip"}).status_code == 415
    wrong_method = httpx.get(endpoint.releases, headers=endpoint.headers, **WITHOUT_TLS)
    assert (wrong_method.status_code, wrong_method.headers["Allow"]) == (405, "POST")
    nowhere = httpx.post(f"{endpoint.url}/v1/nothing", headers=endpoint.headers, **WITHOUT_TLS)
    assert nowhere.status_code == 404
    assert nowhere.json()["message"] == "Not Found: releases are sent with POST /v1/releases"


def test_its_own_description_is_public_and_names_every_answer(endpoint: Pushing) -> None:
    document = httpx.get(f"{endpoint.url}/openapi.json", **WITHOUT_TLS).json()
    answers = document["paths"]["/v1/releases"]["post"]["responses"]
    assert set(answers) == {"202", "400", "401", "408", "413", "415", "422", "429", "503"}
    assert document["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}


def test_a_body_over_the_limit_is_refused_whether_it_says_its_length_or_not(tmp_path: Path) -> None:
    with pushing(tmp_path, max_body_bytes=10_000) as endpoint:
        big = json.dumps(a_document(source="x" * 20_000)).encode()
        assert post(endpoint, big).status_code == 413
        chunks = (big[at : at + 1_000] for at in range(0, len(big), 1_000))
        answer = httpx.post(endpoint.releases, content=chunks, headers=endpoint.headers, **WITHOUT_TLS)
        assert answer.status_code == 413
        assert answer.json()["message"] == "at most 10000 bytes a request: send fewer observations"
        assert post(endpoint, a_document()).status_code == 202
        assert len(endpoint.journal.pending()) == 1


def test_a_body_without_end_is_cut_off(tmp_path: Path) -> None:
    def without_end() -> Any:
        while True:
            yield b"x" * 65_536

    with pushing(tmp_path, max_body_bytes=100_000) as endpoint:
        try:
            answer = httpx.post(endpoint.releases, content=without_end(), headers=endpoint.headers, **WITHOUT_TLS)
            assert answer.status_code == 413
        except httpx.TransportError:
            pass  # the connection closed while the client still wrote
        assert post(endpoint, a_document()).status_code == 202


def read_all(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def head(endpoint: Pushing, length: int) -> bytes:
    return (
        f"POST /v1/releases HTTP/1.1\r\nHost: 127.0.0.1:{endpoint.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def test_a_slow_body_is_told_and_cut_off_and_others_are_served_meanwhile(tmp_path: Path) -> None:
    with pushing(tmp_path, body_timeout_seconds=2.5) as endpoint:
        with socket.create_connection(("127.0.0.1", endpoint.port), timeout=PATIENCE_SECONDS) as slow:
            slow.sendall(head(endpoint, 1_000) + b'{"series"')
            assert post(endpoint, a_document()).status_code == 202
            said = read_all(slow)  # ends because the server closes
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"the body did not arrive within 2.5 seconds" in said


def test_a_head_that_never_ends_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.releases.push.protocol.DeadlineProtocol.head_timeout_seconds", 2.0)
    with pushing(tmp_path, max_connections=4) as endpoint:
        silent = [socket.create_connection(("127.0.0.1", endpoint.port), timeout=PATIENCE_SECONDS) for _ in range(3)]
        silent[0].sendall(b"POST /v1/releases HTTP/1.1\r\nHost: x\r\n")
        for connection in silent:
            assert read_all(connection) == b""
            connection.close()
        assert post(endpoint, a_document()).status_code == 202


def test_a_second_request_on_a_connection_has_its_own_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.releases.push.protocol.DeadlineProtocol.head_timeout_seconds", 2.0)
    with pushing(tmp_path) as endpoint, httpx.Client() as client:
        body = json.dumps(a_document()).encode()
        assert client.post(endpoint.releases, content=body, headers=endpoint.headers).status_code == 202
        time.sleep(2.5)
        assert client.post(endpoint.releases, content=body, headers=endpoint.headers).status_code == 202
        with socket.create_connection(("127.0.0.1", endpoint.port), timeout=PATIENCE_SECONDS) as one:
            one.sendall(head(endpoint, len(body)) + body)
            assert one.recv(65_536).startswith(b"HTTP/1.1 202 ")
            one.sendall(b"POST /v1/rel")
            read_all(one)  # ends because the server closes


def test_a_sender_that_leaves_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pushing(tmp_path) as endpoint:
        with socket.create_connection(("127.0.0.1", endpoint.port), timeout=PATIENCE_SECONDS) as one:
            one.sendall(head(endpoint, 1_000) + b'{"series"')
        assert post(endpoint, a_document()).status_code == 202
        assert len(endpoint.journal.pending()) == 1


def test_a_flood_is_limited_and_what_it_got_accepted_is_kept(tmp_path: Path) -> None:
    with pushing(tmp_path, requests_per_second=1.0, burst_requests=10, max_connections=200) as endpoint:

        def one(number: int) -> tuple[int, str | None]:
            answer = post(endpoint, a_document(f"owner {number}"))
            return answer.status_code, answer.headers.get("Retry-After")

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(one, range(120)))
        accepted = sum(status == 202 for status, _ in answers)
        assert {status for status, _ in answers} == {202, 429}
        assert 10 <= accepted < 80
        assert all(wait == "1" for status, wait in answers if status == 429)
        assert len(endpoint.journal.pending()) == accepted


def test_strangers_cannot_use_up_what_senders_may_do(tmp_path: Path) -> None:
    with pushing(tmp_path, requests_per_second=0.01, burst_requests=3) as endpoint:
        strangers = [httpx.post(endpoint.releases, json={}, **WITHOUT_TLS).status_code for _ in range(6)]
        assert strangers == [401, 401, 401, 429, 429, 429]
        assert post(endpoint, a_document()).status_code == 202


def test_more_connections_than_allowed_are_turned_away(tmp_path: Path) -> None:
    with pushing(tmp_path, max_connections=3) as endpoint:
        held = [socket.create_connection(("127.0.0.1", endpoint.port), timeout=PATIENCE_SECONDS) for _ in range(3)]
        wait_for(lambda: post(endpoint, a_document()).status_code == 503, "the connections count")
        for connection in held:
            connection.close()
        wait_for(lambda: post(endpoint, a_document()).status_code == 202, "they are gone")


def test_a_full_journal_is_a_503_and_nothing_is_accepted(tmp_path: Path) -> None:
    with pushing(tmp_path, journal_max_bytes=600) as endpoint:
        assert post(endpoint, a_document("first")).status_code == 202
        answer = post(endpoint, a_document("second"))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json()["error"] == "journal-full"
        assert len(endpoint.journal.pending()) == 1
