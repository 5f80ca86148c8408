import io
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog
from pydantic import SecretStr

from counterpoise.runtime.logs import RateLimitedLog, configure_logging

TOKEN = "xoxb-123456789-abcdefXYZ"
SECRETS = (TOKEN, "hunter2", "s3cret-cookie")


def speak() -> None:
    log = structlog.get_logger("test")
    log.info(f"posting with {TOKEN}", token=TOKEN, password="hunter2", nested={"cookie": "s3cret-cookie"}, height=3)
    log.info("wrapped", value=SecretStr("hunter2"), url="http://user:hunter2@node:8332/", items=[TOKEN])
    logging.getLogger("kafka").warning("connecting to %s", "sasl://user:hunter2@broker")
    try:
        raise ValueError(f"Bearer {TOKEN} and http://u:hunter2@h/")
    except ValueError:
        log.exception("failed")


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_secret_reaches_a_log_line(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(style, "info", service="alerts")  # type: ignore[arg-type]
    speak()
    said = capsys.readouterr().err
    assert [secret for secret in SECRETS if secret in said] == []
    assert "posting with [hidden]" in said
    assert "ValueError" in said


@pytest.mark.parametrize("level", ["debug", "info"])
def test_a_step_of_a_sasl_login_is_hidden(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As kafka-python prints PLAIN's token, and its error of it."""
    configure_logging("text", level)
    logging.getLogger("kafka.protocol.parser").debug("Send: %r", bytearray(b"u" + bytes(1) + b"hunter2"))
    library = logging.getLogger("kafka.client")
    library.debug(
        "Sending request %d %s", 3, f"SaslAuthenticateRequest(version=2, auth_bytes={b'u' + bytes(1) + b'hunter2'!r})"
    )
    library.error("lost SaslAuthenticateRequest(auth_bytes=b'u\\x00u\\x00hunter2')")
    library.error("lost MetadataRequest")
    said = capsys.readouterr().err
    assert "hunter2" not in said
    assert "a step of a SASL login: [hidden]" in said and "MetadataRequest" in said


def test_json_lines_parse_and_carry_service_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info", service="alerts")
    speak()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["info", "info", "warning", "error"]
    assert {line["service"] for line in lines} == {"alerts"}
    assert lines[0]["height"] == 3
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_libraries_say_only_warnings_unless_debugging(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "info")
    logging.getLogger("aiokafka").info("chatter")
    structlog.get_logger("streams").info("ours")
    said = capsys.readouterr().err
    assert "chatter" not in said
    assert "ours" in said


def test_a_stream_of_its_own_takes_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure_logging("text", "warning", stream=stream)
    logging.getLogger("kafka").warning("torn")
    assert capsys.readouterr().err == ""
    assert "torn" in stream.getvalue()


def test_the_kafka_clients_remarks_on_a_busy_machine_are_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "info")
    logging.getLogger("kafka.net.selector").warning("Task ran for 0.306s (>0.100s threshold)")
    logging.getLogger("kafka.net.selector").error("broken")
    said = capsys.readouterr().err
    assert "threshold" not in said
    assert "broken" in said


def test_a_library_that_repeats_itself_is_heard_once_a_minute() -> None:
    now = 100.0
    seldom = RateLimitedLog(60.0, lambda: now)

    def remark(name: str, line: int, level: int = logging.ERROR) -> bool:
        return seldom.filter(logging.LogRecord(name, level, "client.py", line, "Unable to connect", None, None))

    assert [remark("aiokafka", 7), remark("aiokafka", 7), remark("aiokafka.consumer", 8)] == [True, False, True]
    now = 159.9
    assert not remark("aiokafka", 7)
    now = 160.0
    assert remark("aiokafka", 7)
    assert [remark("kafka.net.transport", 3), remark("kafka.net.manager", 5), remark("kafka.cluster", 9)] == [True] + [
        False
    ] * 2
    assert [remark("streams", 7), remark("streams", 7)] == [True, True], "our own lines are never dropped"


@pytest.mark.parametrize("style", ["text", "json"])
def test_an_outage_is_one_line_without_a_traceback_and_a_bug_is_not(
    style: Literal["text", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(style, "info")
    try:
        raise ConnectionRefusedError(111, "refused")
    except OSError:
        logging.getLogger("aiokafka.conn").warning("Failed to %s", "connect", exc_info=True)
    try:
        raise ValueError("a mistake")
    except ValueError:
        logging.getLogger("faust").warning("Failed", exc_info=True)
    outage, *bug = capsys.readouterr().err.splitlines()
    assert "Failed to connect: [Errno 111] refused" in outage
    assert "Traceback" not in outage
    assert "Traceback" in "".join(bug)
    assert "ValueError: a mistake" in "".join(bug)


def test_a_line_that_cannot_be_written_is_lost_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """/dev/full is a disk without space."""
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        configure_logging("text", "info", stream=stream)
        logging.getLogger("streams").warning("one line")
        with suppress(OSError):
            stream.close()
    assert capsys.readouterr().err == ""


def test_lines_of_every_thread_carry_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info", service="alerts")
    for log in (structlog.get_logger("test").info, logging.getLogger("kafka").error):
        thread = threading.Thread(target=log, args=("from a thread",))
        thread.start()
        thread.join()
    structlog.get_logger("supervisor").info("started", service="ingest")
    services = [json.loads(line)["service"] for line in capsys.readouterr().err.splitlines()]
    assert services == ["alerts", "alerts", "ingest"]


def test_a_socket_that_the_client_closed_itself_is_no_line_and_another_bug_of_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("text", "info")
    transport = logging.getLogger("kafka.net.transport")
    sock: Any = None
    try:
        sock.recv(4096)
    except AttributeError:
        transport.exception("(closed): Error receiving network data closing socket")
    logging.getLogger("kafka.cluster").error("Metadata refresh: failed %s", "Cancelled")
    assert capsys.readouterr().err == ""
    try:
        raise KeyError("api_key")
    except KeyError:
        transport.exception("(connected): Error receiving network data closing socket")
    [line] = capsys.readouterr().err.splitlines()
    assert "KeyError" in line or "api_key" in line


def test_what_faust_runs_of_ours_logs_under_the_librarys_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Faust logs under the module that defines a class: its `Starting...` would be a line of ours at each start."""
    import mode

    from streams.faust_app import StreamsApp
    from streams.intake.transport import FAUST_LOG, NoTables

    def below(kind: Any) -> Iterator[Any]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    ours = {kind for kind in below(mode.Service) if kind.__module__.partition(".")[0] in ("streams", "counterpoise")}
    assert {StreamsApp, NoTables} <= ours
    assert {kind.__name__ for kind in ours if not kind.logger.name.startswith("faust.")} == set()
    configure_logging("text", "info")
    for told in (
        "Warning: Task timed out!",
        "Please make sure it's hanging before restart.",
        "Missing sensor state for #1",
    ):
        FAUST_LOG.warning(told)
        FAUST_LOG.warning(f"[^StreamsApp]: {told}")  # as a service of Faust's writes it
    FAUST_LOG.warning("the rest is told")
    [line] = capsys.readouterr().err.splitlines()
    assert "the rest is told" in line
