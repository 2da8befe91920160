"""Compares deploy/ with the service's code: settings, ports, times and each file's schema."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from packshot.service.admission import LARGE_BYTES
from packshot.service.settings import Settings
from tests.deploy.kit import DEPLOY

OVERLAYS = ("cpu", "gpu")
SECRETS = {
    "URL_SECRETS": "0123456789" * 4,
    "DATABASE_URL": "postgresql://packshot:secret@postgresql/packshot",
    "RATE_LIMIT_URL": "redis://redis:6379/0",
}


@cache
def manifests(overlay: str) -> dict[str, Any]:
    """An overlay as kustomize builds it: kind -> manifest."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    made = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / "kubernetes/overlays" / overlay], capture_output=True, check=True
    ).stdout
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(made)}


def pod(overlay: str) -> Any:
    return manifests(overlay)["Deployment"]["spec"]["template"]["spec"]


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def replicas() -> Iterator[Any]:
    return (service for service in compose()["services"].values() if service["image"] == "packshot")


def settings_of(environ: Mapping[str, str], folder: Path) -> Settings:
    """Settings as the container would read them; its secret files are created in `folder`."""
    mended = dict(environ)
    for name, text in SECRETS.items():
        if f"PACKSHOT_{name}_FILE" in mended:
            (folder / name).write_text(text)
            mended[f"PACKSHOT_{name}_FILE"] = str(folder / name)
    return Settings.from_environment(mended)


def image_variables() -> dict[str, str]:
    """The settings in the image's ENV lines."""
    text = (DEPLOY / "Dockerfile").read_text().replace("${DEVICE}", "cpu")
    words = (word for word in text.replace("\\\n", " ").split() if word.startswith("PACKSHOT_"))
    return dict(word.split("=", 1) for word in words if "=" in word)


def test_composes_replicas_have_settings_that_can_be_used(tmp_path: Path) -> None:
    for replica in replicas():
        given = {
            name: text.replace("${", "").split(":-")[-1].rstrip("}") for name, text in replica["environment"].items()
        }
        settings = settings_of(image_variables() | given, tmp_path)
        assert settings.workers == replica["cpus"]
        assert not settings.only_here
        assert int(replica["stop_grace_period"].removesuffix("s")) > settings.drain_s
        assert replica["read_only"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_have_settings_that_can_be_used(overlay: str, tmp_path: Path) -> None:
    spec = pod(overlay)
    (container,) = spec["containers"]
    own = {entry["name"]: entry["value"] for entry in container["env"]}
    settings = settings_of(image_variables() | manifests(overlay)["ConfigMap"]["data"] | own, tmp_path)
    waits_s = container["lifecycle"]["preStop"]["sleep"]["seconds"] + settings.drain_s
    assert spec["terminationGracePeriodSeconds"] > waits_s
    assert settings.workers == int(container["resources"]["limits"]["cpu"])
    assert not settings.only_here
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": settings.port, "metrics": settings.metrics_port}
    assert settings.device == ("cuda" if overlay == "gpu" else "cpu")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_example_of_secrets_has_the_files_that_pods_read(overlay: str) -> None:
    text = (DEPLOY / "kubernetes/base/secrets.example.yaml").read_text()
    example, _ = yaml.safe_load_all(text)
    (container,) = pod(overlay)["containers"]
    read = {entry["value"].rsplit("/", 1)[1] for entry in container["env"] if entry["name"].endswith("_FILE")}
    assert set(example["stringData"]) == read
    assert set(re.findall("--from-literal=([a-z-]+)=", text)) == read


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_means_our_pods(overlay: str) -> None:
    """An empty selector would match every pod of the namespace."""
    ours = manifests(overlay)["Deployment"]["spec"]["template"]["metadata"]["labels"]
    found = manifests(overlay)
    selectors = [
        found["Deployment"]["spec"]["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in pod(overlay)["topologySpreadConstraints"]),
    ]
    assert all(selector and selector.items() <= ours.items() for selector in selectors), selectors


@pytest.mark.slow
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_keep_their_schemas(overlay: str) -> None:
    for manifest in manifests(overlay).values():
        kubernetes_validate.validate(manifest, "1.30", strict=True)


def test_the_unit_is_one(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "packshot.service"
    text = (DEPLOY / "systemd/packshot.service").read_text()
    unit.write_text(text.replace("/opt/packshot/bin/packshot serve", sys.executable))
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_units_journal_has_the_log_and_no_key() -> None:
    """By default stderr would follow stdout and be lost."""
    lines = (DEPLOY / "systemd/packshot.service").read_text().splitlines()
    assert {"StandardOutput=null", "StandardError=journal"} <= set(lines)


def test_the_unit_does_not_start_without_its_public_address() -> None:
    """With a loopback address, a start would print a link for local users, although there is a proxy."""
    lines = (DEPLOY / "systemd/packshot.service").read_text().splitlines()
    assert "EnvironmentFile=/etc/packshot/settings.env" in lines


def test_the_image_listens_for_others() -> None:
    assert not Settings.from_environment(
        {
            **image_variables(),
            "PACKSHOT_PUBLIC_BASE_URL": "https://cutouts.example.com",
            "PACKSHOT_URL_SECRETS": "s" * 40,
        }
    ).is_loopback


def test_the_units_settings_can_be_used_and_fit_its_memory() -> None:
    lines = (DEPLOY / "systemd/settings.env").read_text().splitlines()
    settings = Settings.from_environment(dict(line.split("=", 1) for line in lines if not line.startswith("#")))
    assert not settings.only_here
    needed = 0.5e9 + settings.upload_memory_bytes + settings.workers * LARGE_BYTES + settings.work_memory_bytes
    assert "MemoryMax=4G" in (DEPLOY / "systemd/packshot.service").read_text()
    assert needed < 4 * 2**30


def test_the_image_is_built_from_what_the_build_may_see() -> None:
    """.dockerignore admits the source of every COPY."""
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    ]
    allowed = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert copied
    assert {f"!{name.removeprefix('./')}" for name in copied} <= set(allowed)
    assert all((DEPLOY.parent / name).exists() for name in copied)


@pytest.mark.parametrize(
    ("location", "setting"),
    [
        ("/v1/", "job_bytes"),
        ("/v1.0/", "v1_max_file_bytes"),
        ("~ ^/(api/remove|remove-background/v1)$", "v1_max_file_bytes"),
    ],
)
def test_nginx_lets_the_largest_body_through_that_a_replica_accepts(
    location: str, setting: str, tmp_path: Path
) -> None:
    text = (DEPLOY / "nginx/packshot.conf").read_text()
    (megabytes,) = re.findall(rf"location {re.escape(location)} {{[^}}]*client_max_body_size (\d+)m;", text)
    assert int(megabytes) * 1024**2 > getattr(settings_of({}, tmp_path), setting)
