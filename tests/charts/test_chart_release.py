"""Real Helm, both lines, against the embedded server: install, upgrade, list, roll back, uninstall."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helming import CHART, Run

from zestor_controller import EmbeddedCluster, Unstructured
from zestor_controller.errors import NotFound

CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"
WEBSITES = "websites.demo.zestor.dev"
WAIT = ("--wait", "--timeout", "60s")

pytestmark = [pytest.mark.xdist_group("charts"), pytest.mark.timeout(180)]


def test_the_chart_is_installed_upgraded_listed_and_uninstalled(
    major: Any, run_helm: Run, zestor_cluster: EmbeddedCluster
) -> None:
    config, client = zestor_cluster.kubeconfig, zestor_cluster.client
    assert "0 chart(s) failed" in run_helm(major, "lint", "--strict", str(CHART)).stdout

    output = run_helm(major, "install", "web", str(CHART), *WAIT, kubeconfig=config).stdout
    assert "rollout status deployment/web-website-operator" in output
    deployment = client.get("apps/v1/Deployment", "web-website-operator", namespace="default")
    assert deployment["status"]["readyReplicas"] == 1
    client.wait_for(CRD, WEBSITES, "Established")

    run_helm(major, "upgrade", "web", str(CHART), "--set", "image.tag=x", *WAIT, kubeconfig=config)
    deployment = client.get("apps/v1/Deployment", "web-website-operator", namespace="default")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "website-operator:x"
    (row,) = json.loads(run_helm(major, "list", "--output", "json", kubeconfig=config).stdout)
    assert (row["name"], row["revision"], row["status"]) == ("web", "2", "deployed")

    run_helm(major, "uninstall", "web", *WAIT, kubeconfig=config)
    assert json.loads(run_helm(major, "list", "--output", "json", kubeconfig=config).stdout) == []
    for kind in ("apps/v1/Deployment", "v1/Service", "rbac.authorization.k8s.io/v1/Role"):
        names = [item.metadata.name for item in client.list(kind, namespace="default")]
        assert not [name for name in names if name.startswith("web-")]
    assert client.get(CRD, WEBSITES).metadata.annotations["helm.sh/resource-policy"] == "keep"


def test_without_keep_the_crd_goes_with_the_release(major: Any, run_helm: Run, zestor_cluster: EmbeddedCluster) -> None:
    config = zestor_cluster.kubeconfig
    run_helm(major, "install", "web", str(CHART), "--set", "crds.keep=false", *WAIT, kubeconfig=config)
    run_helm(major, "uninstall", "web", *WAIT, kubeconfig=config)
    with pytest.raises(NotFound):
        zestor_cluster.client.get(CRD, WEBSITES)


def test_a_release_goes_to_a_wider_schema_and_back_and_its_objects_live_on(
    major: Any, run_helm: Run, zestor_cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    config, client = zestor_cluster.kubeconfig, zestor_cluster.client
    wider = tmp_path / "wider"
    shutil.copytree(CHART, wider)
    file = wider / "templates" / "crds" / f"{WEBSITES}.yaml"
    text = file.read_text()
    assert "maximum: 50" in text
    file.write_text(text.replace("maximum: 50", "maximum: 500"))

    def site(replicas: int) -> dict[str, Any]:
        return {
            "apiVersion": "demo.zestor.dev/v1",
            "kind": "Website",
            "metadata": {"name": f"site-{replicas}", "namespace": "default"},
            "spec": {"replicas": replicas},
        }

    def maximum(crd: Unstructured) -> int:
        spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        found: int = spec["properties"]["replicas"]["maximum"]
        return found

    run_helm(major, "install", "web", str(CHART), *WAIT, kubeconfig=config)
    client.wait_for(CRD, WEBSITES, "Established")
    before = client.create(site(5))
    run_helm(major, "upgrade", "web", str(wider), *WAIT, kubeconfig=config)
    client.wait_for(CRD, WEBSITES, lambda crd: crd is not None and maximum(crd) == 500)
    wide = client.create(site(100))

    run_helm(major, "rollback", "web", "1", *WAIT, kubeconfig=config)
    client.wait_for(CRD, WEBSITES, lambda crd: crd is not None and maximum(crd) == 50)
    uids = {
        item.metadata.name: item.metadata.uid for item in client.list("demo.zestor.dev/v1/Website", namespace="default")
    }
    assert uids == {"site-5": before.metadata.uid, "site-100": wide.metadata.uid}
