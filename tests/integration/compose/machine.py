"""`docker compose up` without Docker: the services of docker-compose.yml as containers on a bridge, in the order that they depend on.

Three images are not ours. Apache Kafka's jars run with the image's own program that reads its KAFKA_… variables, ClickHouse is the
embedded engine (`clickhouse_server.py`), and the client of the job `users` is `clickhouse_client.py`.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from testkit.apache_kafka import fetch_jars
from tests.integration.compose.compose_file import ROOT, Image, Service, our_image, read
from tests.integration.compose.container import Container, Mount, join_bridge
from tests.namespaces import enter, network_of_this_thread
from tests.waiting import PATIENCE_SECONDS, wait_for

SUBNET: Final = "172.31.7"
GATEWAY: Final = f"{SUBNET}.1"
"""This machine, as containers see it."""
BRIDGE: Final = "compose"
USERS_OF_IMAGES: Final = {"kafka": 1000, "clickhouse": 101}
"""Who owns the volumes of the images that are not ours."""
_PROGRAMS: Final = "/opt/counterpoise/bin"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_JAVA: Final = "java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto"
_KAFKA: Final = f"""#!/bin/sh
# What the image does at its start.
set -e
cd /tmp
touch server.properties log4j2.yaml tools-log4j2.yaml
mkdir -p mounted final
result=$({_JAVA} -cp '/opt/kafka/libs/*' kafka.docker.KafkaDockerWrapper setup \\
  --default-configs-dir /tmp --mounted-configs-dir /tmp/mounted --final-configs-dir /tmp/final 2>&1) || \\
  echo "$result" | grep -i "already formatted" || {{ echo "$result"; exit 1; }}
exec {_JAVA} $KAFKA_HEAP_OPTS -Dlog4j2.configurationFile=/tmp/final/log4j2.yaml -cp '/opt/kafka/libs/*' \\
  kafka.Kafka /tmp/final/server.properties
"""
_KAFKA_ANSWERS: Final = (
    "import sys; from counterpoise.kafka.broker_probe import kafka_answers; "
    "sys.exit(not kafka_answers('localhost', 9092, 4.0))"
)


@dataclass
class Machine:
    """The machine that `docker compose up` runs on. Make it in a network of its own, and `close` it."""

    directory: Path
    files: tuple[Path, ...]
    project: Path
    """The folder with deploy/counterpoise.env and deploy/secrets, and the checkout's other files."""
    scale: dict[str, int] = field(default_factory=dict)
    containers: dict[str, list[Container]] = field(default_factory=dict)
    services: dict[str, Service] = field(init=False)
    _networks: list[int] = field(default_factory=list)
    _addresses: dict[str, list[str]] = field(default_factory=dict)
    _forwards: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = read(self.files, self.project)
        self._image: Image = our_image()
        self._programs = self.directory / "programs"
        self._programs.mkdir(parents=True)
        self._write_programs()
        bridge = f"ip link add {BRIDGE} type bridge; ip address add {GATEWAY}/24 dev {BRIDGE}; ip link set {BRIDGE} up"
        subprocess.run(["sh", "-ec", bridge], check=True)
        for name, service in self.services.items():
            assert service.networks == ("line",)
            self._addresses[name] = []
            for _ in range(self.scale.get(name, 1)):
                number = len(self._networks) + 2
                self._addresses[name].append(f"{SUBNET}.{number}")
                self._networks.append(join_bridge(BRIDGE, number, f"{SUBNET}.{number}", GATEWAY))

    def up(self) -> None:
        """Start everything, each service as soon as what it depends on is ready."""
        left = dict(self.services)
        for name in [name for name, service in left.items() if not service.depends_on]:
            self._start(left.pop(name))
        while left:
            ready = [name for name, service in left.items() if service.depends_on.keys() <= self.containers.keys()]
            assert ready, f"depends_on of {', '.join(left)} never holds"
            for needed, condition in sorted({one for name in ready for one in self.services[name].depends_on.items()}):
                wait_for(lambda n=needed, c=condition: self._holds(n, c), f"{needed}: {condition}", self.explain)  # type: ignore[misc]
            for name in ready:
                self._start(left.pop(name))

    def one(self, name: str, number: int = 0) -> Container:
        return self.containers[name][number]

    def is_healthy(self, name: str) -> bool:
        """Whether the health check of every replica passes."""
        return all(
            container.pid() and container.run(self.services[name].health).returncode == 0
            for container in self.containers[name]
        )

    def wait_healthy(self, *names: str) -> None:
        for name in names:
            wait_for(lambda name=name: self.is_healthy(name), f"{name} is healthy", self.explain)  # type: ignore[misc]

    def explain(self) -> str:
        """The last lines of every container."""
        return "\n".join(
            f"--- {container.name} (starts {container.starts}, exit {container.exit_code()})\n"
            + "\n".join(container.log().splitlines()[-12:])
            for replicas in self.containers.values()
            for container in replicas
        )

    def stop(self, *names: str) -> dict[str, int | None]:
        """`docker compose stop`: the exit codes by container."""
        found = [container for name in names for container in self.containers[name]]
        threads = [threading.Thread(target=container.stop, args=(PATIENCE_SECONDS,)) for container in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {container.name: container.exit_code() for container in found}

    def close(self) -> None:
        """End every container at once, and close every port."""
        for replicas in self.containers.values():
            for container in replicas:
                container.stop()
        for listener in self._forwards:
            listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts, which a close alone does not
            listener.close()
        for network in self._networks:
            os.close(network)

    def publish(self, address: str, outside: int, target: tuple[str, int]) -> None:
        """Forward connections to a port of this machine, as Docker's proxy does."""
        self._forward(socket.create_server((address, outside)), target)

    def publish_inside(self, name: str, port: int, target: tuple[str, int]) -> None:
        """The same for a port of the loopback of a service's containers: what runs beside it there, as in a pod."""
        here = network_of_this_thread()
        for address in self._addresses[name]:
            try:
                enter(self._network(address))
                listener = socket.create_server(("127.0.0.1", port))
            finally:
                enter(here)
            self._forward(listener, target)
        os.close(here)

    def _forward(self, listener: socket.socket, target: tuple[str, int]) -> None:
        self._forwards.append(listener)
        threading.Thread(target=_forward, args=(listener, target), daemon=True).start()

    def _network(self, address: str) -> int:
        return self._networks[int(address.rpartition(".")[2]) - 2]

    def _holds(self, name: str, condition: str) -> bool:
        if condition == "service_healthy":
            return self.is_healthy(name)
        assert condition == "service_completed_successfully"
        codes = {container.exit_code() for container in self.containers[name]}
        return codes == {0}

    def _start(self, service: Service) -> None:
        for number, address in enumerate(self._addresses[service.name]):
            container = self._container(service, number, address)
            self.containers.setdefault(service.name, []).append(container)
            container.start()
        for outer, outside, inside in service.ports:
            self.publish(outer, outside, (self._addresses[service.name][0], inside))

    def _container(self, service: Service, number: int, address: str) -> Container:
        name = f"{service.name}-{number + 1}"
        hostname = secrets.token_hex(6)
        environment = {"PATH": f"{_PROGRAMS}:{_PATH}", "PYTHONPATH": str(ROOT), "HOSTNAME": hostname}
        if service.is_ours:
            own = {key: value.replace("$PATH", _PATH) for key, value in self._image.environment.items()}
            assert own["PATH"] == environment["PATH"]
            environment |= own
        return Container(
            name=name,
            hostname=hostname,
            network=self._network(address),
            command=self._command(service),
            environment={**environment, **service.environment},
            user=self._user(service),
            workdir=self._image.workdir if service.is_ours else "/",
            mounts=self._mounts(service, name, hostname, address),
            tmpfs=service.tmpfs,
            read_only=service.read_only,
            drops_capabilities=service.drops_capabilities,
            no_new_privileges=service.no_new_privileges,
            restart=service.restart,
            directory=self.directory,
        )

    def _user(self, service: Service) -> int:
        if service.user is not None:
            return service.user
        return self._image.user if service.is_ours else USERS_OF_IMAGES[service.name]

    def _command(self, service: Service) -> list[str]:
        """`/opt/counterpoise/bin` has the checkout's `counterpoise`, and what stands for programs of the other images."""
        if service.is_ours:
            return [*self._image.entrypoint, *service.arguments]
        return [*service.entrypoint, *service.arguments] or [f"{_PROGRAMS}/{service.name}"]

    def _mounts(self, service: Service, name: str, hostname: str, address: str) -> list[Mount]:
        mounts = [Mount(self._programs, _PROGRAMS, read_only=True)]
        hosts, resolver = self.directory / f"{name}.hosts", self.directory / f"{name}.resolv"
        hosts.write_text(self._hosts(service, hostname, address))
        resolver.write_text("")
        mounts += [Mount(hosts, "/etc/hosts", read_only=True), Mount(resolver, "/etc/resolv.conf", read_only=True)]
        for source, target, read_only in service.volumes:
            mounts.append(Mount(self._volume(source, self._user(service)), target, read_only))
        for secret in service.secrets:
            mounts.append(Mount(self.project / "deploy" / "secrets" / secret, f"/run/secrets/{secret}", read_only=True))
        if service.name in ("users", "clickhouse"):
            mounts.append(Mount(self._volume("sent-users", 101), "/users"))
        if service.name == "kafka":
            mounts += [
                Mount(fetch_jars(), "/opt/kafka/libs", read_only=True),
                Mount(self._programs / "kafka-health", service.health[0], read_only=True),
            ]
        return mounts

    def _volume(self, source: str, user: int) -> Path:
        if source.startswith("/"):
            return Path(source)
        folder = self.directory / "volumes" / source
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o755)
            os.chown(folder, user, user)
        return folder

    def _hosts(self, service: Service, hostname: str, address: str) -> str:
        """What Docker's name service answers, as a file: each service's name leads to its containers."""
        lines = ["127.0.0.1 localhost", "::1 localhost", f"{address} {hostname}"]
        lines += [f"{one} {name}" for name, found in self._addresses.items() for one in found]
        lines += [f"{GATEWAY} {host}" for host, where in service.extra_hosts.items() if where == "host-gateway"]
        return "\n".join([*lines, ""])

    def _write_programs(self) -> None:
        python = sys.executable
        texts = {
            "counterpoise": f'#!/bin/sh\nexec {python} -m counterpoise "$@"\n',
            "python": f'#!/bin/sh\nexec {python} "$@"\n',
            "clickhouse": f"#!/bin/sh\nexec {python} -m tests.integration.compose.clickhouse_server\n",
            "clickhouse-client": f'#!/bin/sh\nexec {python} -m tests.integration.compose.clickhouse_client "$@"\n',
            "kafka": _KAFKA,
            "kafka-health": f'#!/bin/sh\nexec {python} -c "{_KAFKA_ANSWERS}"\n',
        }
        for name, text in texts.items():
            (self._programs / name).write_text(text)
            (self._programs / name).chmod(0o755)


def _forward(listener: socket.socket, target: tuple[str, int]) -> None:
    with suppress(OSError):
        while True:
            near, _ = listener.accept()
            try:
                far = socket.create_connection(target)
            except OSError:
                near.close()
                continue
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()
