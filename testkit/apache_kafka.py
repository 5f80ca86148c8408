"""One node of Apache Kafka itself (KRaft, no Docker), for tests: its jars through Maven, started by this machine's Java.

What production runs is Apache Kafka, so the contract and end-to-end suites run on it too, where Java 17 and Maven are at hand.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from counterpoise.kafka.broker_probe import kafka_answers
from counterpoise.settings.endpoints import KafkaTarget
from engines.kafka import end_process, kill_process
from engines.ports import HOST
from testkit.kafka_listeners import SecuredListeners
from testkit.ports import reserved_port

VERSION: Final = "4.4.0"
"""Faust 0.15.3 with aiokafka 0.14, and kafka-python 3.0, join, consume, commit and rebalance on it: tests/contract/kafka."""

_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>counterpoise</groupId><artifactId>kafka-node</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
  </dependencies>
</project>
"""
_LOG4J = """status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""
_NODE = """process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
"""
_PLAIN_LISTENERS = """listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
"""
_JAVA_FLAGS = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)
_MAVEN_TIMEOUT_SECONDS = 300
_START_TIMEOUT_SECONDS = 60.0


class ApacheKafkaUnavailableError(Exception):
    """Apache Kafka cannot be had on this machine; the message is one line that says why."""


def wanted_version() -> str:
    """The version to test on: VERSION, or what COUNTERPOISE_TEST_KAFKA_VERSION names."""
    return os.environ.get("COUNTERPOISE_TEST_KAFKA_VERSION", VERSION)


def fetch_jars(version: str | None = None) -> Path:
    """The folder of Kafka's jars, fetched with Maven into the user's cache the first time.

    ApacheKafkaUnavailableError where there is no Java, no Maven, or Maven reaches no repository.
    """
    version = version or wanted_version()
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise ApacheKafkaUnavailableError(
                f"Apache Kafka {version} needs Java 17 and Maven: no `{program}` on this machine"
            )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "counterpoise" / f"kafka-{version}"
    jars = cache / "jars"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once fetch once
        if not (cache / "complete").exists():
            _run_maven(cache, jars, version)
            (cache / "complete").touch()
    return jars


def _run_maven(cache: Path, jars: Path, version: str) -> None:
    pom = cache / "pom.xml"
    pom.write_text(_POM.format(version=version))
    command = [
        "mvn",
        "-B",
        "-q",
        "-f",
        str(pom),
        _DEPENDENCY_PLUGIN,
        "-DincludeScope=runtime",
        f"-DoutputDirectory={jars}",
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MAVEN_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ApacheKafkaUnavailableError(
            f"Apache Kafka {version} could not be fetched with Maven within {_MAVEN_TIMEOUT_SECONDS} s"
        ) from None
    if done.returncode != 0:
        said = next((line.strip() for line in done.stdout.splitlines() if "ERROR" in line), "no reason given")
        raise ApacheKafkaUnavailableError(f"Apache Kafka {version} could not be fetched with Maven: {said[:300]}")


@dataclass(slots=True)
class ApacheKafka:
    """A node with its data in `directory`: `kill` and `restart` keep topics, messages and offsets."""

    directory: Path
    port: int
    _command: list[str] = field(repr=False)
    _process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def bootstrap(self) -> str:
        """`host:port`, as clients take it."""
        return f"{HOST}:{self.port}"

    @property
    def target(self) -> KafkaTarget:
        """For `counterpoise.kafka`."""
        return KafkaTarget(self.bootstrap)

    @property
    def log_file(self) -> Path:
        return self.directory / "kafka.log"

    def is_alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def stop(self, grace_seconds: float = 20.0) -> None:
        """A controlled shutdown; SIGKILL after the grace."""
        end_process(self._process, grace_seconds)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        kill_process(self._process)

    def restart(self) -> None:
        """Start again on the same port and data; returns when it answers."""
        self.kill()
        self._process = _launch(self._command, self.directory, self.port)


def start_apache_kafka(
    directory: Path, *, port: int = 0, version: str | None = None, secured: SecuredListeners | None = None
) -> ApacheKafka:
    """Format `directory`, start one node on loopback and return when it answers (some five seconds). `port` is PLAINTEXT always;
    `secured` adds listeners."""
    jars = fetch_jars(version)
    port = port or reserved_port()
    directory.mkdir(parents=True, exist_ok=True)
    config, log4j = directory / "node.properties", directory / "log4j2.properties"
    controller_port = reserved_port()
    node = _NODE.format(controller_port=controller_port, data=directory / "data")
    if secured is None:
        listeners = _PLAIN_LISTENERS.format(port=port, controller_port=controller_port)
    else:
        listeners = secured.properties(port, controller_port, directory)
    config.write_text(node + listeners)
    config.chmod(0o600)
    log4j.write_text(_LOG4J)
    java = ["java", *_JAVA_FLAGS, f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{jars}/*"]
    tool = [*java, "kafka.tools.StorageTool"]
    scram = [] if secured is None else secured.format_arguments()
    made = subprocess.run([*tool, "random-uuid"], capture_output=True, text=True, timeout=60, check=True)
    cluster = made.stdout.split()[-1]
    formatted = subprocess.run(
        [*tool, "format", "--standalone", "-t", cluster, "-c", str(config), *scram],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if formatted.returncode != 0:
        raise RuntimeError(f"Apache Kafka's storage could not be formatted: {formatted.stdout}{formatted.stderr}")
    command = [*java, "kafka.Kafka", str(config)]
    return ApacheKafka(directory, port, command, _launch(command, directory, port))


def _launch(command: list[str], directory: Path, port: int) -> subprocess.Popen[bytes]:
    with (directory / "kafka.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=directory
        )
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if kafka_answers(HOST, port, 1.0):
            return process
        time.sleep(0.1)
    if process.poll() is None:
        process.kill()
        process.wait()
    raise RuntimeError(f"Apache Kafka did not come up: see {directory / 'kafka.log'}")


def _main(arguments: list[str]) -> int:
    """Fetch, and say in one line whether Apache Kafka can be had here: 0 where it can, 3 where it cannot. `--quiet` says nothing."""
    try:
        jars, code = fetch_jars(), 0
        line = f"Apache Kafka {wanted_version()}: {len(list(jars.glob('*.jar')))} jars in {jars}"
    except ApacheKafkaUnavailableError as reason:
        line, code = f"skipped: {reason}", 3
    if "--quiet" not in arguments:
        sys.stdout.write(line + "\n")
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
