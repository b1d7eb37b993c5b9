"""The deployment files are held to what they refer to: routes, flags, users, volumes, the lock."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from artificer.problem.load import parse_problem
from artificer.server.options import add_flags

yaml = pytest.importorskip("yaml", reason="PyYAML comes with MLflow")

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    tuple(line.split(None, 1))
    for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE)).splitlines()
    if line.strip()
]
MANIFESTS = [
    document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
WORKLOADS = [m for m in MANIFESTS if m["kind"] in ("Deployment", "StatefulSet")]


def accepted_by_the_server(arguments: list[str]) -> argparse.Namespace:
    """Parse as ``python -m artificer.server`` does; an unknown flag ends the test."""
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return parser.parse_args(arguments)


def stage(name: str) -> list[tuple[str, ...]]:
    """The instructions of one stage of the Dockerfile."""
    begin = next(i for i, (word, rest) in enumerate(INSTRUCTIONS) if word == "FROM" and rest.endswith(f" AS {name}"))
    end = next((i for i in range(begin + 1, len(INSTRUCTIONS)) if INSTRUCTIONS[i][0] == "FROM"), len(INSTRUCTIONS))
    return INSTRUCTIONS[begin:end]


def test_images_are_pinned_and_run_as_nobody_in_particular() -> None:
    made = {rest.split(" AS ")[1] for word, rest in INSTRUCTIONS if word == "FROM"}
    for word, rest in INSTRUCTIONS:
        if word == "FROM":
            source = rest.split(" AS ")[0]
            assert source in made or ":" in source, f"{source} has no version"
            assert not source.endswith(":latest")
        assert word != "ADD", "COPY says what it does"
        if word == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists/*" in rest
        if word == "RUN" and "pip" in rest and "install" in rest:
            assert "--no-cache-dir" in rest
            assert "--require-hashes" in rest or "--no-deps" in rest
    for name in ("whole", "serving"):
        users = [rest for word, rest in [*stage("runtime"), *stage(name)] if word == "USER"]
        assert users[-1] == "10001:10001"
        assert any(word == "ENTRYPOINT" and rest.startswith("[") for word, rest in stage(name))
    assert ("STOPSIGNAL", "SIGTERM") in stage("runtime")


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in INSTRUCTIONS:
        if word == "COPY" and "--from" not in rest:
            for name in rest.split()[:-1]:
                assert (ROOT / name).exists(), name
                assert name in allowed, f"{name} is not in the build's context"


def test_flags_of_the_services_exist() -> None:
    (command,) = [rest for word, rest in stage("serving") if word == "CMD"]
    given = accepted_by_the_server(json.loads(command))
    assert given.host == "0.0.0.0"  # noqa: S104 (in a container)
    assert given.tokens is not None
    assert accepted_by_the_server([a.replace("$$", "$") for a in COMPOSE["services"]["serving"]["command"]]).tokens
    (serving,) = [w for w in WORKLOADS if w["kind"] == "Deployment"]
    given = accepted_by_the_server(serving["spec"]["template"]["spec"]["containers"][0]["args"])
    assert "${JOURNAL_PASSWORD}" in given.journal.template


def test_compose_is_hardened_and_keeps_no_secret() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    assert not re.search(r"PASSWORD: (?!\$\{)", text)
    for name in ("loop", "serving"):
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["user"] == "10001:10001"
        assert service["build"]["target"] in DOCKERFILE
        assert set(service["depends_on"]) <= set(COMPOSE["services"])
    for service in COMPOSE["services"].values():
        assert ":" in service["image"]
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w["metadata"]["name"])
def test_workloads_are_hardened_and_hang_together(workload: Any) -> None:
    spec = workload["spec"]["template"]["spec"]
    assert workload["spec"]["selector"]["matchLabels"] == workload["spec"]["template"]["metadata"]["labels"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    names = {(m["kind"], m["metadata"]["name"]) for m in MANIFESTS if "metadata" in m}
    for volume in volumes.values():
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in names
        if "persistentVolumeClaim" in volume:
            assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in names
    for container in spec["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert {"requests", "limits"} <= set(container["resources"])
        assert not container["image"].endswith(":latest")
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)


def test_probes_ask_routes_that_need_no_token() -> None:
    source = (ROOT / "src" / "artificer" / "server" / "app.py").read_text()
    (serving,) = [w for w in WORKLOADS if w["kind"] == "Deployment"]
    container = serving["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert f'"{asked["path"]}"' in source
        assert asked["port"] in ports
    (service,) = [m for m in MANIFESTS if m["kind"] == "Service"]
    assert service["spec"]["selector"] == serving["spec"]["selector"]["matchLabels"]


def test_the_project_of_the_manifests_can_be_read() -> None:
    (config,) = [m for m in MANIFESTS if m["kind"] == "ConfigMap"]
    problem = parse_problem(config["data"]["artificer.toml"])
    assert problem.stores.journal is not None


def subset() -> Any:
    spec = importlib.util.spec_from_file_location("subset", DEPLOY / "subset.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.subset


def test_the_serving_image_has_all_that_the_service_imports() -> None:
    lock = subset()((ROOT / "requirements.lock").read_text(), (DEPLOY / "serving.txt").read_text())
    names = {re.sub(r"[._]", "-", name).lower() for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)", lock)}
    assert "pydantic-core" in names
    assert not names & {"polars", "duckdb", "lightgbm", "mlflow-skinny", "scikit-learn", "pandas"}
    assert len(re.findall("--hash=sha256", lock)) > len(names)
    code = (
        "import sys, artificer.server.run, artificer.server.face, artificer.server.pages, artificer.journal.postgres;"
        "import prometheus_client, psycopg; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    owners = packages_distributions()
    tools = {"artificer", "setuptools", "pip", "editables", "pytest"}
    for module in loaded:  # several distributions may share a name
        needed = {re.sub(r"[._]", "-", owner).lower() for owner in owners.get(module, ())} - tools
        assert not needed or needed & names, f"the service imports {module} of {needed}"


def test_a_package_that_the_lock_lacks_is_told() -> None:
    with pytest.raises(SystemExit, match="lacks nothing-of-the-kind"):
        subset()("numpy==2.0 \\\n    --hash=sha256:0\n", "numpy\nnothing-of-the-kind\n")


def test_the_unit_is_sound() -> None:
    text = (DEPLOY / "systemd" / "artificer.service").read_text()
    (start,) = re.findall(r"(?m)^ExecStart=(.+)$", text)
    assert shlex.split(start)[1] == "run"
    assert "KillSignal=SIGTERM" in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed; on Debian: apt-get install systemd")
    told = subprocess.run(
        ["systemd-analyze", "verify", str(DEPLOY / "systemd" / "artificer.service")],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    complaints = [line for line in told.splitlines() if "artificer.service" in line and "not executable" not in line]
    assert not [line for line in complaints if "Unknown" in line or "Invalid" in line or "Failed to parse" in line], (
        told
    )


def test_kustomize_builds_the_manifests() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed; on Debian: apt-get install kubernetes-client")
    built = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    assert "image: artificer-serving:0.1.0" in built.stdout
