"""docker-compose.yml as Docker reads it: files merged, `env_file` under `environment`, and the image of our Dockerfile."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Image:
    """What the Dockerfile's last stage sets."""

    environment: Mapping[str, str]
    user: int
    workdir: str
    entrypoint: tuple[str, ...]


def our_image() -> Image:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2].replace("\\\n", " ")
    environment = dict(re.findall(r"([A-Z_]+)=(\S+)", re.findall(r"^ENV (.*)$", text, re.MULTILINE)[0]))
    [user], [workdir] = (
        re.findall(r"^USER (\d+)$", text, re.MULTILINE),
        re.findall(r"^WORKDIR (\S+)$", text, re.MULTILINE),
    )
    [entrypoint] = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    return Image(environment, int(user), workdir, tuple(yaml.safe_load(entrypoint)))


@dataclass(frozen=True)
class Service:
    """One service of the merged files. `volumes` are (source, target, read-only); `ports` are (address, outside, inside)."""

    name: str
    is_ours: bool
    environment: Mapping[str, str]
    arguments: tuple[str, ...]
    entrypoint: tuple[str, ...]
    user: int | None
    volumes: tuple[tuple[str, str, bool], ...]
    secrets: tuple[str, ...]
    ports: tuple[tuple[str, int, int], ...]
    tmpfs: tuple[str, ...]
    read_only: bool
    drops_capabilities: bool
    no_new_privileges: bool
    extra_hosts: Mapping[str, str]
    depends_on: Mapping[str, str]
    health: tuple[str, ...]
    restart: str
    networks: tuple[str, ...]


def read(files: Sequence[Path], folder: Path) -> dict[str, Service]:
    """The services of these files, the later over the earlier; files and secrets are below `folder`, as `docker compose` has it."""
    merged: dict[str, Any] = {}
    for file in files:
        for name, service in yaml.safe_load(file.read_text(encoding="utf-8"))["services"].items():
            merged[name] = _merged(merged.get(name, {}), service)
    return {name: _service(name, service, folder) for name, service in merged.items()}


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        if isinstance(value, dict):
            both[key] = {**both.get(key, {}), **value}
        elif isinstance(value, list) and key not in ("command", "entrypoint"):
            both[key] = [*both.get(key, []), *(one for one in value if one not in both.get(key, []))]
        else:
            both[key] = value
    return both


def _service(name: str, raw: Mapping[str, Any], folder: Path) -> Service:
    environment: dict[str, str] = {}
    for file in raw.get("env_file", ()):
        environment |= env_file(folder / file)
    environment |= {key: str(value) for key, value in raw.get("environment", {}).items()}
    depends = raw.get("depends_on", {})
    return Service(
        name=name,
        is_ours="build" in raw,
        environment=environment,
        arguments=tuple(raw.get("command", ())),
        entrypoint=tuple(raw.get("entrypoint", ())),
        user=int(raw["user"].partition(":")[0]) if "user" in raw else None,
        volumes=tuple(_volume(one, folder) for one in raw.get("volumes", ())),
        secrets=tuple(raw.get("secrets", ())),
        ports=tuple(_port(one) for one in raw.get("ports", ())),
        tmpfs=tuple(raw.get("tmpfs", ())),
        read_only=bool(raw.get("read_only", False)),
        drops_capabilities=raw.get("cap_drop") == ["ALL"],
        no_new_privileges="no-new-privileges:true" in raw.get("security_opt", ()),
        extra_hosts=dict(one.split(":", 1) for one in raw.get("extra_hosts", ())),
        depends_on={key: value["condition"] for key, value in depends.items()},
        health=tuple(raw.get("healthcheck", {}).get("test", ())[1:]),
        restart=str(raw["restart"]),
        networks=tuple(raw["networks"]),
    )


def env_file(path: Path) -> dict[str, str]:
    """A file of `NAME=value` lines; `#` begins a comment."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {
        key: value for key, _, value in (line.partition("=") for line in lines if line and not line.startswith("#"))
    }


def _volume(text: str, folder: Path) -> tuple[str, str, bool]:
    source, target, *options = text.split(":")
    return (str(folder / source) if source.startswith("./") else source), target, options == ["ro"]


def _port(text: str) -> tuple[str, int, int]:
    address, outside, inside = text.split(":")
    return address, int(outside), int(inside)
