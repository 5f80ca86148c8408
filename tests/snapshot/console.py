"""The console command: run it, crawl its help, and leave out of its words what changes from run to run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

COMMAND_SECONDS = 900.0
"""How long one command may take."""

PROGRESS = re.compile(r"^\d{4}-\d\d-\d\d  height [\d,]+ .*\n", re.MULTILINE)
"""A line that a replay prints when it looks: at which heights depends on the machine."""

_CHANGES = (
    (re.compile(r" {3,}"), "  "),  # first: the others reckon with two blanks at most
    (re.compile(r"[─━]{3,}"), "───"),
    (re.compile(r"\S*/counterpoise/__main__\.py"), "counterpoise"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"(127\.0\.0\.1:PORT/(?:open\?key=)?)[\w-]{22,}"), r"\1KEY"),
    (re.compile(r"\b(HTTP|port) \d{2,5}\b"), r"\1 PORT"),
    (re.compile(r"\bprocess \d+\b"), "process PID"),
    (re.compile(r"\bin [\d.,]+ (ms|s)\b"), "in DURATION"),
    (re.compile(r"\([\d,.]+ blocks/s\)"), "(RATE blocks/s)"),
    (re.compile(r"(\.v\d+  \d+  )\d+  \d+"), r"\1N  N"),  # offsets: messages hold what was at hand
    (re.compile(r"\b[\d.]+ (s|min|h|d) ago\b"), "AGE ago"),
    (re.compile(r"^(alerts  stopped  \d+)  AGE ago", re.MULTILINE), r"\1"),  # absent where it had nothing left to say
    (re.compile(r"last Slack success: .*"), "last Slack success: AGE"),
    (re.compile(r"[\d.]+ GiB free"), "SPACE free"),
    (re.compile(r"\b(dataset \S+ at|[Mm]ade|demo,|replay,) \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC"), r"\1 NOW"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)
_PANEL = re.compile(r"^╭─ (?P<title>.+?) ─+╮\n(?P<body>.*?)^╰", re.MULTILINE | re.DOTALL)
_NOT_COMMANDS = ("Options", "Arguments", "Error")


@dataclass(frozen=True, slots=True)
class Console:
    """`python -m counterpoise` of `checkout`, run in `directory`; `names` are paths and the words that stand for them."""

    checkout: Path
    directory: Path
    names: dict[str, str]
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def state_dir(self) -> Path:
        return self.directory / "state"

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        """No setting but the given ones, and a terminal so wide that no line is wrapped."""
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith("COUNTERPOISE_") and not k.lower().endswith("_proxy")
        }
        here = {"PYTHONPATH": str(self.checkout), "COUNTERPOISE_STATE_DIR": str(self.state_dir), "TZ": "UTC"}
        return {**kept, "COLUMNS": "2000", "NO_COLOR": "1", "TERM": "dumb", **here, **self.settings, **more}

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "counterpoise", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.directory,
            env=self.environment(more),
        )

    def raw(self, *arguments: str, **more: str) -> tuple[int, str]:
        """(exit code, all that was printed)."""
        with self.start(*arguments, **more) as process:
            try:
                printed, _ = process.communicate(timeout=COMMAND_SECONDS)
            except BaseException:
                process.terminate()
                raise
        return process.returncode, printed

    def said(self, *arguments: str, **more: str) -> str:
        """The command, its exit code and its words, normalised."""
        code, printed = self.raw(*arguments, **more)
        return self.normalised(f"$ counterpoise {' '.join(arguments)}\n{printed.rstrip()}\nexit code {code}\n")

    def normalised(self, text: str) -> str:
        """Without paths, ports, processes, durations and rates; runs of blanks and rules shortened."""
        for path, word in self.names.items():
            text = text.replace(path, word)
        for pattern, word in _CHANGES:
            text = pattern.sub(word, text)
        return text

    def helps(self) -> Iterator[str]:
        """`--help` of the command and of every command under it, level by level."""
        level: list[tuple[str, ...]] = [()]
        with ThreadPoolExecutor(2) as pool:
            while level:
                said = list(pool.map(lambda path: self.raw(*path, "--help", COLUMNS="160"), level))
                yield from (
                    self.normalised(
                        f"$ counterpoise {' '.join((*path, '--help'))}\n{text.rstrip()}\nexit code {code}\n"
                    )
                    for path, (code, text) in zip(level, said, strict=True)
                )
                level = [(*path, name) for path, (_, text) in zip(level, said, strict=True) for name in _commands(text)]


def _commands(text: str) -> list[str]:
    panels = (found["body"] for found in _PANEL.finditer(text) if found["title"].strip() not in _NOT_COMMANDS)
    return [name for body in panels for name in re.findall(r"^│ ([a-z][\w-]*) ", body, re.MULTILINE)]
