"""deploy/kubernetes: manifests by the schemas of Kubernetes, and everything that they name exists, as in docker-compose.yml."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from desk.cli.root import ENTRIES
from desk.cli.run import CHILD_GRACE_SECONDS, RUNNERS, What
from tests.docs.test_compose import OURS, SERVICES, setting_names

VERIFIES = [
    ("Kubernetes", "schemas of 1.29 and 1.37", "by shape", "deploy/kubernetes: each manifest, and the names in it"),
]

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
VERSIONS = ("1.29", "1.37")
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
SECRETS = "/run/secrets/counterpoise/"


def manifests() -> dict[str, dict[str, Any]]:
    """Each object by kind and name."""
    files = [FOLDER / name for name in KUSTOMIZATION["resources"]]
    found = [one for file in files for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


MANIFESTS = manifests()
PODS = {name.partition("/")[2]: one["spec"]["template"] for name, one in MANIFESTS.items() if "template" in one["spec"]}


def configuration() -> dict[str, str]:
    [config] = KUSTOMIZATION["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in config["literals"])


def container(name: str) -> dict[str, Any]:
    [one] = PODS[name]["spec"]["containers"]
    found: dict[str, Any] = one
    return found


def environment(name: str) -> dict[str, str]:
    assert container(name)["envFrom"] == [{"configMapRef": {"name": KUSTOMIZATION["configMapGenerator"][0]["name"]}}]
    return configuration() | {one["name"]: one["value"] for one in container(name)["env"]}


def test_every_manifest_is_a_resource_and_every_service_has_one() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])
    assert PODS.keys() == set(OURS)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(MANIFESTS))
def test_the_schema_takes_each_manifest(name: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def fields(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field of an object."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str):
                yield (*path, key)
            yield from fields(inner, (*path, key))


FREE = {"labels", "annotations", "matchLabels", "limits", "requests", "selector"}
"""Fields whose keys anybody may choose."""


@pytest.mark.parametrize("name", ["Service/desk", "Job/migrate"])
def test_any_misspelt_field_would_be_found(name: str) -> None:
    """The validator itself: one letter more in any field, one at a time."""
    tried = 0
    for *parents, last in fields(MANIFESTS[name]):
        if (len(parents) and parents[-1] in FREE) or last in {"apiVersion", "kind"}:
            continue
        broken = copy.deepcopy(MANIFESTS[name])
        at: Any = broken
        for key in parents:
            at = at[key]
        at[f"{last}x"] = at.pop(last)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)
        tried += 1
    assert tried >= 8


@pytest.mark.parametrize("name", OURS)
def test_settings_exist_and_are_accepted(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = environment(name)
    assert given.keys() <= setting_names()
    for variable, value in given.items():
        if value.startswith(SECRETS):
            value = str(tmp_path / value.removeprefix(SECRETS))  # noqa: PLW2901 - where this machine has it
            Path(value).write_text("secret")
        monkeypatch.setenv(variable, value)
    settings = Settings.load()
    assert kafka_target(settings).security.protocol == "SASL_SSL"
    target = clickhouse_target(settings)
    assert len(target.addresses) == 2 and target.tls is not None and target.cluster == "production"
    assert target.user == f"counterpoise_{name}_service"
    assert settings.state_dir.parent == Path("/var/lib/counterpoise"), "a folder within the volume"


@pytest.mark.parametrize("name", OURS)
def test_the_command_exists(name: str) -> None:
    command, *rest = container(name)["args"]
    assert command in ENTRIES and rest == ([] if name == "migrate" else [name])
    assert name == "migrate" or name in {str(what) for what in What} & RUNNERS.keys()


@pytest.mark.parametrize("name", OURS)
def test_every_secret_that_is_named_is_mounted_and_created(name: str) -> None:
    spec, given = PODS[name]["spec"], environment(name)
    named = {value.removeprefix(SECRETS) for value in given.values() if value.startswith(SECRETS)}
    [volume] = [volume["secret"] for volume in spec["volumes"] if "secret" in volume]
    assert {item["key"] for item in volume["items"]} == {item["path"] for item in volume["items"]} == named
    assert {secret for secret in named if secret.startswith("clickhouse")} == {f"clickhouse_{name}_password"}
    assert volume["defaultMode"] == 0o440
    mounts = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
    claims = MANIFESTS.get(f"StatefulSet/{name}", {}).get("spec", {}).get("volumeClaimTemplates", [])
    volumes = {one["name"] for one in spec["volumes"]} | {one["metadata"]["name"] for one in claims}
    assert mounts.keys() == volumes and f"{mounts['secrets']}/" == SECRETS
    header = (FOLDER / "kustomization.yaml").read_text(encoding="utf-8").partition("apiVersion")[0]
    users = re.findall(r"for user in ([\w ]+);", header)[0].split()
    created = {f"clickhouse_{user}_password" for user in users} | {"desk_token", "kafka_password"}
    assert named <= created and "desk_token kafka_password" in header
    assert f"create secret generic {volume['secretName']} " in header


@pytest.mark.parametrize("name", SERVICES)
def test_the_probe_asks_the_port_that_the_service_listens_on(name: str) -> None:
    given, ports = environment(name), {port["name"]: port["containerPort"] for port in container(name)["ports"]}
    assert given["COUNTERPOISE_HEALTH__HOST"] == "0.0.0.0"  # noqa: S104 - of the pod
    assert str(ports["health"]) == given[f"COUNTERPOISE_HEALTH__{name.upper()}_PORT"]
    assert container(name)["readinessProbe"]["httpGet"] == {"path": "/health", "port": "health"}
    assert "livenessProbe" not in container(name)
    assert PODS[name]["metadata"]["annotations"]["prometheus.io/port"] == str(ports["health"])


@pytest.mark.parametrize("name", OURS)
def test_a_pod_is_not_root_and_is_left_time_to_end(name: str) -> None:
    spec, security = PODS[name]["spec"], container(name)["securityContext"]
    assert spec["terminationGracePeriodSeconds"] > CHILD_GRACE_SECONDS
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] == 10001
    assert security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}


def test_selectors_find_the_pods_and_ports_of_their_name() -> None:
    for name, one in MANIFESTS.items():
        kind, _, own = name.partition("/")
        selector = one["spec"].get("selector", {})
        if kind == "Job":
            continue
        wanted = selector if kind == "Service" else selector["matchLabels"]
        assert wanted.items() <= PODS[own]["metadata"]["labels"].items(), name
        if kind == "Service":
            ports = {port["name"] for port in container(own)["ports"]}
            assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports
    assert MANIFESTS["StatefulSet/market"]["spec"]["serviceName"] == "market"


def test_the_image_is_replaced_everywhere_by_its_version() -> None:
    [image] = KUSTOMIZATION["images"]
    project = (FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert {container(name)["image"] for name in OURS} == {image["name"]}
    assert f'version = "{image["newTag"]}"' in project
