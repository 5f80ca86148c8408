"""One container without Docker: its own network, mounts, processes and host name, and a root folder of its own.

The root folder is a small file system with this machine's programs, the checkout and the environment, all read-only. As in an image
with `read_only: true`, only volumes and `tmpfs` can be written. A container ends when its first process does.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.namespaces import NEW_NETWORK, enter, network_of_this_thread, unshare

ROOT: Final = Path(__file__).resolve().parents[3]
PROGRAMS: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr", "/etc")
DEVICES: Final = ("null", "zero", "full", "random", "urandom")
_RESTART_PAUSE_SECONDS: Final = 0.2


@dataclass
class Mount:
    """`source` on this machine, at `target` in the container."""

    source: Path
    target: str
    read_only: bool = False


@dataclass
class Container:
    """What `docker compose` starts for a service: `start` it, `kill` its process, `run` commands in it. `stop` ends it for good."""

    name: str
    hostname: str
    network: int
    command: Sequence[str]
    environment: Mapping[str, str]
    user: int
    workdir: str
    mounts: Sequence[Mount]
    tmpfs: Sequence[str]
    read_only: bool
    drops_capabilities: bool
    no_new_privileges: bool
    restart: str
    directory: Path
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _watcher: threading.Thread | None = None

    @property
    def log_file(self) -> Path:
        return self.directory / f"{self.name}.log"

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def start(self) -> None:
        """Start it, and again by its restart policy, until `stop`."""
        self._launch()
        self._watcher = threading.Thread(target=self._watch, name=f"restarts {self.name}", daemon=True)
        self._watcher.start()

    def exit_code(self) -> int | None:
        """None while it runs, or is about to be started again."""
        return None if self._watcher is not None and self._watcher.is_alive() else self._code

    @property
    def _code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def pid(self) -> int:
        """The container's first process, as this machine counts; 0 while there is none."""
        process = self._process
        if process is None or process.poll() is not None:
            return 0
        with suppress(OSError):
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            return int(children[0]) if children else 0
        return 0

    def kill(self) -> None:
        """SIGKILL to its first process: the kernel ends the others."""
        os.kill(self.pid(), signal.SIGKILL)

    def run(self, arguments: Sequence[str], timeout_seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """`docker compose exec`: a command in the running container, as its user."""
        pid = self.pid()
        inside = ["nsenter", f"--target={pid}", "--mount", "--uts", "--net", "--pid", "--root", "--wd"]
        return subprocess.run(
            [*inside, *self._dropped(), *arguments],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def stop(self, grace_seconds: float = 0.0) -> int | None:
        """SIGTERM, SIGKILL after the grace; its exit code. It is not started again."""
        self._stopping.set()
        if grace_seconds and (pid := self.pid()) and self._process is not None:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.kill(pid, signal.SIGTERM)
                self._process.wait(grace_seconds)
        while self._watcher is not None and self._watcher.is_alive():  # it may just have started it again
            if self._process is not None and self._process.poll() is None:
                with suppress(ProcessLookupError):  # the kernel forgets --kill-child where a process changes its user
                    os.kill(self.pid() or self._process.pid, signal.SIGKILL)
            self._watcher.join(0.1)
        return self._code

    def _watch(self) -> None:
        while True:
            process = self._process
            assert process is not None
            code = process.wait()
            again = self.restart == "unless-stopped" or (self.restart == "on-failure" and code != 0)
            if not again or self._stopping.wait(_RESTART_PAUSE_SECONDS):
                return
            self._launch()

    def _launch(self) -> None:
        root = self.directory / self.name
        root.mkdir(exist_ok=True)
        script = "set -eu\n" + "\n".join(self._set_up(str(root)))
        enter_network = ["nsenter", f"--net=/proc/self/fd/{self.network}"]
        own = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*enter_network, *own, "sh", "-c", script, self.name, *self._dropped(), *self.command],
                env={**self.environment, "TMPDIR": os.environ["TMPDIR"]},  # the mark of this run: tests/guardian.py
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self.network],
                start_new_session=True,
            )
        self.starts += 1

    def _dropped(self) -> list[str]:
        """The command that gives up what the container may not have."""
        dropped = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        if self.drops_capabilities:
            dropped += ["--bounding-set=-all", "--inh-caps=-all"]
        if self.no_new_privileges:
            dropped += ["--no-new-privs"]
        return dropped

    def _set_up(self, root: str) -> list[str]:
        """Shell commands, run as root in the new namespaces; the last one becomes the service."""
        lines = [f"hostname {self.hostname}", f"mount -t tmpfs -o mode=0755,size=64m root {root}"]
        for folder in PROGRAMS:
            path = Path(folder)
            if path.is_symlink():
                lines.append(f"ln -s {path.readlink()} {root}{folder}")
            elif path.is_dir():
                lines += self._bind(root, Mount(path, folder, read_only=True))
        for path in dict.fromkeys((ROOT, Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve())):
            if not str(path).startswith("/usr/"):
                lines += self._bind(root, Mount(path, str(path), read_only=True))
        lines += [
            f"mkdir -p {root}/proc {root}/sys {root}/dev {root}/tmp {root}/run",
            f"mount -t proc proc {root}/proc",
        ]
        lines.append(f"mount --rbind /sys {root}/sys")  # the engine reads how much memory there is
        for device in DEVICES:
            lines += [f": > {root}/dev/{device}", f"mount --bind /dev/{device} {root}/dev/{device}"]
        lines += [f"ln -s /proc/self/fd/{n} {root}/dev/{name}" for n, name in enumerate(("stdin", "stdout", "stderr"))]
        lines += [f"ln -s /proc/self/fd {root}/dev/fd", f"mkdir {root}/dev/shm", f"chmod 1777 {root}/tmp"]
        lines += [f"mount -t tmpfs -o mode=1777 shm {root}/dev/shm"]
        for mount in self.mounts:
            lines += self._bind(root, mount)
        lines += [
            f"mkdir -p {root}{folder} && mount -t tmpfs -o mode=1777 tmpfs {root}{folder}" for folder in self.tmpfs
        ]
        mark = f"{root}{os.environ['TMPDIR']}"  # /tmp by the name that marks this run's processes
        lines += [f"mkdir -p {mark}", f"mount --bind {root}/tmp {mark}"]
        if self.read_only:
            lines.append(f"mount -o remount,ro {root}")
        inside = f'cd {self.workdir}; exec "$@"'
        lines.append(f'exec chroot {root} sh -c {shlex.quote(inside)} sh "$@"')
        return lines

    @staticmethod
    def _bind(root: str, mount: Mount) -> list[str]:
        target = f"{root}{mount.target}"
        file = f"mkdir -p $(dirname {target}); [ -e {target} ] || : > {target}"
        made = f"mkdir -p {target}" if mount.source.is_dir() else file
        bound = [made, f"mount --bind {mount.source} {target}"]
        return [*bound, f"mount -o remount,bind,ro {target}"] if mount.read_only else bound


def join_bridge(bridge: str, number: int, address: str, gateway: str) -> int:
    """A new network with a cable to the bridge of this thread's network; its descriptor, which the caller closes."""
    outer = network_of_this_thread()
    try:
        unshare(NEW_NETWORK)
        inside = network_of_this_thread()
    finally:
        enter(outer)
        os.close(outer)
    there = f"nsenter --net=/proc/self/fd/{inside} ip"
    commands = (
        f"ip link add c{number} type veth peer name c{number}in",
        f"ip link set c{number}in netns /proc/self/fd/{inside}",
        f"{there} link set c{number}in name eth0",
        f"{there} link set lo up",
        f"{there} address add {address}/24 dev eth0",
        f"{there} link set eth0 up",
        f"{there} route add default via {gateway}",
        f"ip link set c{number} master {bridge} up",
    )
    subprocess.run(["sh", "-ec", "\n".join(commands)], pass_fds=[inside], check=True)
    return inside
