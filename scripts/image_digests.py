"""Ask the registries for the digests of the images in docker-compose.yml and its companions, and write deploy/digests.yml.

The file is laid over the others and pins each image to what its tag meant at that moment:

    python scripts/image_digests.py
    docker compose -f docker-compose.yml -f deploy/digests.yml up -d

No digest is typed by hand: each is the SHA-256 of the manifest that the registry sends, and must be what the registry names. Nothing
is written unless every image has one. Exit code 1 where a registry is not reachable.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
FILES: Final = ("docker-compose.yml", "deploy/grafana.yml")
DOCKER_HUB: Final = "https://registry-1.docker.io"
_MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_HEAD: Final = "# Written by scripts/image_digests.py: lay it over docker-compose.yml with a second -f.\n"


class RegistryError(Exception):
    """A registry did not answer, or not as the protocol says; one line."""


@dataclass(frozen=True, slots=True)
class Image:
    """A repository with its tag: `apache/kafka` and `4.4.0`, or `library/python` for an official image."""

    name: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, name: str) -> Image:
        """ValueError for an image without a tag, or of another registry than Docker Hub."""
        repository, _, tag = name.partition(":")
        first, slash, _ = repository.partition("/")
        if not tag or "@" in name or (slash and re.search(r"[.:]|^localhost$", first)):
            raise ValueError(f"{name}: expected repository:tag of Docker Hub")
        return cls(name, repository if slash else f"library/{repository}", tag)


def digest(client: httpx.Client, registry: str, image: Image) -> str:
    """`sha256:…` of an image's manifest, for all platforms where there is a list of them."""
    url = f"{registry}/v2/{image.repository}/manifests/{image.tag}"
    headers = {"Accept": _MANIFESTS}
    try:
        answer = client.get(url, headers=headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            headers["Authorization"] = f"Bearer {_token(client, answer, image)}"
            answer = client.get(url, headers=headers)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise RegistryError(f"{image.name}: {error or type(error).__name__}".splitlines()[0]) from error
    found = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    named = answer.headers.get("Docker-Content-Digest", found)
    if named != found:
        raise RegistryError(f"{image.name}: the registry names {named}, and its manifest is {found}")
    return found


def _token(client: httpx.Client, answer: httpx.Response, image: Image) -> str:
    """The token that the registry's challenge describes; anybody gets one that reads public images."""
    challenge = dict(_PARAMETER.findall(answer.headers.get("WWW-Authenticate", "")))
    realm = challenge.pop("realm", "")
    if not realm:
        raise RegistryError(f"{image.name}: the registry asks for a login that is not described")
    given = client.get(realm, params=challenge | {"scope": f"repository:{image.repository}:pull"})
    given.raise_for_status()
    try:
        return str(given.json()["token"])
    except (ValueError, KeyError, TypeError):
        raise RegistryError(f"{image.name}: {realm} sent no token") from None


def images(root: Path = ROOT) -> tuple[dict[str, str], str]:
    """The image of each service that is not built here, and the image that ours is built on."""
    services: dict[str, str] = {}
    for file in FILES:
        for name, service in yaml.safe_load((root / file).read_text(encoding="utf-8"))["services"].items():
            if "image" in service and "build" not in service:
                services[name] = service["image"]
    [base] = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (root / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    return services, base


def overlay(services: Mapping[str, str], base: str, ours: list[str], digests: Mapping[str, str]) -> dict[str, Any]:
    """The content of deploy/digests.yml. Pure."""
    pinned = {name: {"image": f"{image}@{digests[image]}"} for name, image in services.items()}
    built = {name: {"build": {"args": {"PYTHON_IMAGE": f"{base}@{digests[base]}"}}} for name in ours}
    return {"services": pinned | built}


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Pin the images of compose to their digests of now.")
    parser.add_argument("--registry", default=DOCKER_HUB, help="URL of the registry (default: Docker Hub)")
    parser.add_argument("--output", type=Path, default=ROOT / "deploy" / "digests.yml")
    options = parser.parse_args(arguments)
    services, base = images()
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    ours = [name for name, service in compose.items() if "build" in service]
    digests: dict[str, str] = {}
    with httpx.Client(timeout=30, follow_redirects=True) as client:
        for name in sorted({*services.values(), base}):
            try:
                digests[name] = digest(client, options.registry.rstrip("/"), Image.parse(name))
            except RegistryError as error:
                sys.stderr.write(f"image digests: {error}; {options.output} is unchanged\n")
                return 1
            sys.stdout.write(f"{name}@{digests[name]}\n")
    text = yaml.safe_dump(overlay(services, base, ours, digests), sort_keys=False)
    options.output.write_text(_HEAD + text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
