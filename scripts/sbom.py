"""Write the SBOM of a built wheel beside it: CycloneDX 1.6 in JSON, every package that the wheel brings with what it depends on.

    python scripts/sbom.py dist

Names come from the metadata of the wheel and of what is installed here, and versions from what is installed, which is the lock.
Packages of the extras `embedded` and `market` are in it as optional. Tools of development are not. One wheel and one
`SOURCE_DATE_EPOCH` give one text, on one platform.
"""

from __future__ import annotations

import hashlib
import os
import sys
import uuid
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OPTIONAL: Final = ("embedded", "market")
"""Extras of the wheel whose packages are listed too."""


@dataclass(slots=True)
class Package:
    """An installed package; `needs` are the canonical names of what it asks for here."""

    name: str
    metadata: Mapping[str, Any]
    required: bool
    needs: set[str] = field(default_factory=set)


def wheel_metadata(wheel: Path) -> Message:
    """What the wheel says of itself. ValueError where the file is no wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        if len(names) != 1:
            raise ValueError(f"{wheel} has {len(names)} files METADATA: expected one")
        return message_from_bytes(archive.read(names[0]))


def asked(requirements: Iterable[str], extras: Iterable[str] = ()) -> list[Requirement]:
    """Those of `requirements` that apply on this machine, with these extras of the package that asks."""
    found = [Requirement(text) for text in requirements]
    environments = [{"extra": extra} for extra in (*extras, "")]
    return [one for one in found if one.marker is None or any(map(one.marker.evaluate, environments))]


def closure(wheel: Message) -> tuple[dict[str, Package], set[str]]:
    """Every package that the wheel brings, and the names of those that it asks for itself. ValueError where one is not installed."""
    texts = wheel.get_all("Requires-Dist", [])
    packages: dict[str, Package] = {}
    seen: set[tuple[str, str]] = set()

    def add(requirement: Requirement, *, required: bool) -> str:
        name = canonicalize_name(requirement.name)
        try:
            metadata = distribution(requirement.name).metadata
        except PackageNotFoundError:
            raise ValueError(f"{requirement} is not installed here: run `make build`") from None
        package = packages.setdefault(name, Package(metadata["Name"], metadata, required))
        for extra in sorted(requirement.extras) or [""]:
            if (name, extra) not in seen:
                seen.add((name, extra))
                wanted = asked(metadata.get_all("Requires-Dist") or (), [extra] if extra else [])
                package.needs |= {add(one, required=required) for one in wanted}
        return name

    direct = {add(one, required=True) for one in asked(texts)}
    direct |= {add(one, required=False) for one in asked(texts, OPTIONAL)}
    return packages, direct


def component(package: Package) -> Component:
    """The package as CycloneDX describes it."""
    version = package.metadata["Version"]
    return Component(
        name=package.name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"pkg:pypi/{canonicalize_name(package.name)}@{version}",
        purl=PackageURL("pypi", None, canonicalize_name(package.name), version),
        scope=ComponentScope.REQUIRED if package.required else ComponentScope.OPTIONAL,
        description=package.metadata["Summary"],
        licenses=licenses(package.metadata),
    )


def licenses(metadata: Mapping[str, Any]) -> list[Any]:
    """The licence as the package states it: an SPDX expression, else a short name; nothing where it states neither."""
    make = LicenseFactory()
    if stated := metadata.get("License-Expression"):
        return [make.make_from_string(stated)]
    short = metadata.get("License") or ""
    return [make.make_from_string(short)] if 0 < len(short) <= 64 and "\n" not in short else []


def sbom(wheel: Path, now: datetime) -> str:
    """The document, checked against the schema of CycloneDX."""
    content = hashlib.sha256(wheel.read_bytes()).hexdigest()
    described = wheel_metadata(wheel)
    packages, direct = closure(described)
    root = Component(
        name=described["Name"],
        version=described["Version"],
        type=ComponentType.APPLICATION,
        bom_ref=f"pkg:pypi/{described['Name']}@{described['Version']}",
        purl=PackageURL("pypi", None, described["Name"], described["Version"]),
        description=described["Summary"],
        licenses=licenses(described),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content)],
    )
    components = {name: component(package) for name, package in packages.items()}
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, content), components=components.values())
    bom.metadata.component, bom.metadata.timestamp = root, now
    bom.register_dependency(root, [components[name] for name in sorted(direct)])
    for name, package in packages.items():
        bom.register_dependency(components[name], [components[other] for other in sorted(package.needs)])
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise ValueError(f"the SBOM of {wheel} is not valid: {fault}")
    return text + "\n"


def main(arguments: list[str]) -> int:
    """The command: one folder with one wheel."""
    folder = Path(arguments[0] if arguments else "dist")
    wheels = sorted(folder.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        sys.stderr.write(f"no wheel in {folder}: run `make build`\n")
        return 2
    wheel = wheels[-1]
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    name, version, *_ = wheel.stem.split("-")
    target = folder / f"{name}-{version}.cdx.json"
    target.write_text(sbom(wheel, now), encoding="utf-8")
    sys.stdout.write(f"SBOM: {target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
