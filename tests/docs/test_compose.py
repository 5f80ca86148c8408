"""docker-compose.yml is checked, not run, here: every command, setting, secret and health check in it exists, and nothing is open."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from counterpoise.settings.model import Settings
from desk.cli.root import ENTRIES
from desk.cli.run import RUNNERS, What
from testkit import apache_kafka

ROOT = Path(__file__).resolve().parents[2]
FILES = ("docker-compose.yml", "deploy/slack.yml", "deploy/grafana.yml")
SERVICES = ("ingest", "market", "streams", "alerts", "desk")
OURS = (*SERVICES, "migrate")
JOBS = ("users", "migrate")


def load(name: str = "docker-compose.yml") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


COMPOSE = load()


def setting_names(model: type[BaseModel] = Settings, prefix: str = "COUNTERPOISE_") -> set[str]:
    """Every variable that the settings read, from the models themselves."""
    names = set()
    for field, info in model.model_fields.items():
        name = prefix + field.upper()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            names |= setting_names(info.annotation, name + "__")
        else:
            names.add(name)
    return names


def test_the_walk_over_the_settings_finds_known_names() -> None:
    assert {"COUNTERPOISE_STATE_DIR", "COUNTERPOISE_INGEST__BITCOIND__URL"} <= setting_names()


def test_the_shape_is_kafka_clickhouse_two_jobs_and_five_services() -> None:
    assert set(COMPOSE["services"]) == {"kafka", "clickhouse", *OURS, *JOBS}


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists(name: str) -> None:
    command, *rest = COMPOSE["services"][name]["command"]
    assert command in ENTRIES
    if command == "run":
        assert rest == [name]
        assert name in {str(what) for what in What} & RUNNERS.keys()
    else:
        assert rest == []


@pytest.mark.parametrize("file", FILES)
def test_every_variable_is_a_setting(file: str) -> None:
    used = {
        name
        for service in load(file)["services"].values()
        for name in service.get("environment", {})
        if name.startswith("COUNTERPOISE_")
    }
    assert used
    assert used - setting_names() == set()


def test_every_variable_of_the_example_is_a_setting_even_the_commented_ones() -> None:
    text = (ROOT / "deploy/counterpoise.env.example").read_text(encoding="utf-8")
    used = set(re.findall(r"^#?(COUNTERPOISE_\w+)=", text, flags=re.MULTILINE))
    assert len(used) >= 5
    assert used - setting_names() == set()


def test_values_given_there_are_accepted_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPOSE["services"]["streams"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert settings.kafka.bootstrap_servers == "kafka:9092"
    assert settings.health.streams_port == 8082


def test_replicas_of_a_service_differ_by_their_host_names_and_market_has_one_journal() -> None:
    """Containers of a scaled service have the same environment and the same volume."""
    scaled = {name for name in SERVICES if "COUNTERPOISE_INSTANCE" in COMPOSE["services"][name]["environment"]}
    assert scaled == {"streams", "alerts"}
    for name in scaled:
        assert COMPOSE["services"][name]["environment"]["COUNTERPOISE_INSTANCE"] == "hostname"
        assert not {"hostname", "container_name", "ports"} & COMPOSE["services"][name].keys(), "replicas would clash"


@pytest.mark.parametrize("name", SERVICES)
def test_each_health_check_asks_the_port_that_its_service_listens_on(name: str) -> None:
    service = COMPOSE["services"][name]
    port = service["environment"][f"COUNTERPOISE_HEALTH__{name.upper()}_PORT"]
    assert f"http://127.0.0.1:{port}/health" in service["healthcheck"]["test"][-1]


def test_everything_that_stays_up_has_a_health_check_and_a_restart_policy() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["restart"] == ("on-failure" if name in JOBS else "unless-stopped"), name
        assert name in JOBS or "healthcheck" in service, name


def test_images_are_pinned_and_kafka_is_the_version_that_the_tests_run_on() -> None:
    images = {name: service["image"] for name, service in COMPOSE["services"].items()}
    assert all(re.fullmatch(r"[a-z0-9./-]+:\d+(\.\d+)+", image) for image in images.values()), images
    assert images["kafka"] == f"apache/kafka:{apache_kafka.VERSION}"


def test_clickhouse_is_of_the_release_that_the_embedded_engine_is() -> None:
    pinned = re.search(r'"chdb-core==(\d+\.\d+)\.', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert pinned is not None
    for name in ("clickhouse", "users"):
        assert COMPOSE["services"][name]["image"] == f"clickhouse/clickhouse-server:{pinned[1]}"


def test_no_port_is_open_beyond_this_machine() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("file", FILES)
def test_secrets_are_files_outside_the_repository_and_every_one_used_is_declared(file: str) -> None:
    declared = COMPOSE["secrets"] | load(file).get("secrets", {})
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "deploy/secrets/" in ignored
    assert "deploy/counterpoise.env" in ignored
    assert all(secret["file"].startswith("deploy/secrets/") for secret in declared.values())
    for name, service in load(file)["services"].items():
        assert set(service.get("secrets", ())) <= declared.keys(), name
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"PASSWORD$|TOKEN$", variable), f"{name}: {variable} holds a secret in plain sight"
            if str(value).startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], name


def test_services_wait_for_the_migration_and_the_migration_for_healthy_engines() -> None:
    services = COMPOSE["services"]
    assert services["users"]["depends_on"] == {"clickhouse": {"condition": "service_healthy"}}
    assert services["migrate"]["depends_on"] == {
        "kafka": {"condition": "service_healthy"},
        "users": {"condition": "service_completed_successfully"},
    }
    for name in SERVICES:
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_volumes_are_declared_and_mounted_files_exist() -> None:
    used = {volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service.get("volumes", ())}
    files = {name for name in used if name.startswith("./")}
    assert used - files == COMPOSE["volumes"].keys()
    assert files and all((ROOT / name).exists() for name in files)


@pytest.mark.parametrize("name", OURS)
def test_each_service_is_a_clickhouse_user_of_its_own(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["environment"]["COUNTERPOISE_CLICKHOUSE__USER"] == f"counterpoise_{name}_service"
    assert (
        service["environment"]["COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE"] == f"/run/secrets/clickhouse_{name}_password"
    )
    others = {secret for secret in service["secrets"] if secret.startswith("clickhouse")}
    assert others == {f"clickhouse_{name}_password"}, "and it can be no other"


def test_the_name_of_a_node_on_this_machine_is_known_to_ingest() -> None:
    example = (ROOT / "deploy/counterpoise.env.example").read_text(encoding="utf-8")
    hosts = set(re.findall(r"//([\w.]*docker[\w.]*):", example))
    assert COMPOSE["services"]["ingest"]["extra_hosts"] == [f"{host}:host-gateway" for host in hosts]
    assert hosts == {"host.docker.internal"}


def test_the_image_has_all_market_sources() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "pip install --no-cache-dir '.[market]'" in dockerfile
    assert re.search(r"^market = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_our_containers_are_read_only_unprivileged_and_not_root() -> None:
    for name in OURS:
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER 10001$", dockerfile, flags=re.MULTILINE)


def test_the_image_is_built_from_everything_that_the_wheel_packs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for folder in ("counterpoise", "desk", "engines", "ingest", "streams", "alerts", "sql"):
        assert f"COPY {folder} {folder}" in dockerfile
        assert f"!{folder}" in allowed
