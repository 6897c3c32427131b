"""The base and the chart: valid for three versions of Kubernetes and for KEDA, and the same by default."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tea_runner.broker.rq_queues import JOB_QUEUES
from tea_runner.cli.verbs import VERBS
from tea_runner.host import process
from tea_runner.settings import load_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
BASE = FOLDER / "base" / "tea-runner.yaml"
KEDA: dict[str, Any] = json.loads((Path(__file__).parent / "keda/definitions.json").read_text())
#: Other values than the defaults, each of which a template uses.
VALUES = """\
image: registry.example.org/tea-runner:1
imagePullSecrets: [{name: registry}]
settings: {TEA_RUNNER_SANDBOX__MEMORY: "8 GiB"}
ingress: {host: tea.lab.org, className: nginx, tlsSecret: tls}
worker: {max: 3, hostUsers: true, grace: 120, securityContext: {privileged: true}}
"""


def documents(text: str) -> list[dict[str, Any]]:
    """The objects of a manifest."""
    return [each for each in yaml.safe_load_all(text) if each]


def rendered(*words: str) -> str:
    """What Helm makes of the chart; the test is skipped without it."""
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("needs helm: go install helm.sh/helm/v3/cmd/helm@latest")
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    argv = [helm, "template", "tea-runner", str(FOLDER / "chart"), *words]
    return process.run(argv, env=env).stdout.decode()


def _by_kind(text: str = "") -> dict[str, dict[str, Any]]:
    found = documents(text or BASE.read_text())
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}


def _pods(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Specifications of pods, by name of their container."""
    pods = {}
    for each in found.values():
        spec = each.get("spec", {})
        template = spec.get("jobTargetRef", spec).get("template")
        if template:
            pods[template["spec"]["containers"][0]["name"]] = template["spec"]
    return pods


def require_valid(found: list[dict[str, Any]], version: str) -> None:
    """Compare each object with the schema of its kind; no field may be unknown."""
    validate: Any = pytest.importorskip(
        "kubernetes_validate", reason="needs kubernetes-validate: pip install kubernetes-validate"
    )
    jsonschema: Any = pytest.importorskip("jsonschema", reason="needs kubernetes-validate")
    for each in found:
        if each["apiVersion"].startswith("keda.sh/"):
            jsonschema.validate(each, _closed(KEDA[each["kind"]]))
            if each["kind"] == "ScaledJob":
                job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}}
                validate.validate(
                    job | {"spec": each["spec"]["jobTargetRef"]}, version, strict=True
                )
        else:
            validate.validate(each, version, strict=True)


def _closed(schema: Any) -> Any:
    """A schema in which fields that it does not name are errors, as kubectl treats them."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    fields = closed.get("properties")
    if isinstance(fields, dict) and "type" in closed and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed


@pytest.mark.cluster
@pytest.mark.parametrize("version", ["1.33", "1.35", "1.37"])
def test_the_base_is_valid(version: str) -> None:
    """Every field is one of that version, or of KEDA."""
    require_valid(documents(BASE.read_text()), version)


@pytest.mark.cluster
def test_a_wrong_field_is_found() -> None:
    """The comparison has teeth."""
    for kind, field in (("ScaledJob/tea-runner-worker", "scaling"), ("Service/tea-runner", "port")):
        wrong = _by_kind()[kind]
        wrong["spec"][field] = 1
        with pytest.raises(Exception, match=field):
            require_valid([wrong], "1.35")


@pytest.mark.cluster
def test_the_chart_gives_the_base() -> None:
    """``make manifests`` was run after the chart changed."""
    assert BASE.read_text() == rendered()


@pytest.mark.cluster
@pytest.mark.parametrize("version", ["1.33", "1.35", "1.37"])
def test_the_chart_with_other_values_is_valid(tmp_path: Path, version: str) -> None:
    """Each value goes where it belongs."""
    (tmp_path / "values.yaml").write_text(VALUES)
    text = rendered("-f", str(tmp_path / "values.yaml"))
    found = _by_kind(text)
    require_valid(documents(text), version)
    worker = _pods(found)["worker"]
    assert 135 == worker["terminationGracePeriodSeconds"]
    assert {"privileged": True} == {
        name: value
        for name, value in worker["containers"][0]["securityContext"].items()
        if name == "privileged"
    }
    assert "8 GiB" == found["ConfigMap/tea-runner-settings"]["data"]["TEA_RUNNER_SANDBOX__MEMORY"]


@pytest.mark.cluster
def test_helm_finds_nothing_wrong() -> None:
    """``helm lint``."""
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("needs helm: go install helm.sh/helm/v3/cmd/helm@latest")
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    done = process.run([helm, "lint", "--strict", str(FOLDER / "chart")], env=env)
    assert b"0 chart(s) failed" in done.stdout


@pytest.mark.cluster
def test_kustomize_takes_the_base() -> None:
    """``kubectl kustomize`` has the same objects."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("needs kubectl")
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    made = process.run([kubectl, "kustomize", str(FOLDER / "base")], env=env).stdout.decode()
    assert set(_by_kind()) == set(_by_kind(made))


def test_processes_are_verbs_and_settings_are_settings() -> None:
    """What the containers start exists, and tea-runner reads every variable."""
    found = _by_kind()
    pods = _pods(found)
    assert {"receiver", "planner", "reconciler", "worker"} == set(pods)
    for pod in pods.values():
        program, verb, *_ = pod["containers"][0]["args"]
        assert ("tea-runner", True) == (program, verb in VERBS)
    variables = dict(found["ConfigMap/tea-runner-settings"]["data"])
    files = [name for name in variables if name.endswith("_FILE")]
    for name in files:
        assert variables.pop(name).startswith("/etc/tea-runner/keys/")
    settings = load_settings(file=None, env={"HOME": "/", **variables}, flags={})
    assert ("store", 30) == (settings.storage[0].name, settings.worker.grace)


def test_workers_are_started_by_the_queue_that_they_read() -> None:
    """Down to none; a signal leaves the job its time."""
    found = _by_kind()
    scaled = found["ScaledJob/tea-runner-worker"]["spec"]
    (trigger,) = scaled["triggers"]
    assert f"rq:queue:{JOB_QUEUES['host']}" == trigger["metadata"]["listName"]
    assert (0, "accurate") == (scaled["minReplicaCount"], scaled["scalingStrategy"]["strategy"])
    pod = scaled["jobTargetRef"]["template"]["spec"]
    grace = int(found["ConfigMap/tea-runner-settings"]["data"]["TEA_RUNNER_WORKER__GRACE"])
    assert pod["terminationGracePeriodSeconds"] > grace
    assert "--burst" in pod["containers"][0]["args"]


def test_only_workers_have_more_rights_than_none() -> None:
    """No container is root or gains rights; what the sandbox needs is in the worker alone."""
    for name, pod in _pods(_by_kind()).items():
        rights = pod["containers"][0]["securityContext"]
        assert (True, False, ["ALL"]) == (
            rights["runAsNonRoot"],
            rights["allowPrivilegeEscalation"],
            rights["capabilities"]["drop"],
        )
        is_worker = name == "worker"
        assert is_worker == ("procMount" in rights)
        assert is_worker == (rights["seccompProfile"]["type"] == "Unconfined")
        assert not pod["automountServiceAccountToken"]
        mounted = {each["name"] for each in pod["volumes"]}
        assert (name in ("planner", "reconciler")) == ("results" in mounted)
        assert (name == "receiver") == ("webhooks" in mounted)
