"""One supervised process: start it, pass its output on, end it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass

from counterpoise.runtime.python_module import module_environment
from counterpoise.visible import visible

PREFIX_OF_LAST_WORDS = "counterpoise: "
"""Prefix of the line in which the command line reports a fatal error."""


@dataclass(frozen=True, slots=True)
class Service:
    """`may_finish`: exit code 0 without having been asked means that its work is done (a replayed file has an end)."""

    name: str
    command: tuple[str, ...]
    may_finish: bool = False


class Child:
    """A process in its own session, so that a terminal's Ctrl-C reaches it through its supervisor only.

    Its standard input is its lifeline: it ends when the supervisor does, however that came about: a killed supervisor must not
    leave workers behind. From `pass_output_on` on, each line of its output goes to `say`, except the one line of last words,
    which `last_words` keeps. `last_line` is the newest line that is not empty, of either kind.
    """

    def __init__(self, service: Service, say: Callable[[str], None], environment: dict[str, str] | None = None) -> None:
        self.service = service
        self.last_words = ""
        self.last_line = ""
        self._say = say
        self._process = subprocess.Popen(
            service.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=module_environment(os.environ | {"PYTHONUNBUFFERED": "1"} | (environment or {})),
        )
        self._reader = threading.Thread(target=self._read, name=f"{service.name}-output", daemon=True)

    def pass_output_on(self) -> None:
        """Begin to pass its lines on. Call it once, when those who receive them know the process that they come from."""
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code once it ended (negative: the signal), with all its output passed on; None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._close()
        return code

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def hang_up(self) -> None:
        """SIGHUP."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._reader.ident is not None:
            self._reader.join(timeout=2.0)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _read(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        with contextlib.suppress(ValueError, OSError):  # closed under us at the end
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\n")
                if line.startswith(PREFIX_OF_LAST_WORDS):
                    self.last_words = self.last_line = line.removeprefix(PREFIX_OF_LAST_WORDS)
                else:
                    line = visible(line, keep="\t")
                    self.last_line = line.strip() or self.last_line
                    self._say(line)
