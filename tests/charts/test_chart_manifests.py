"""What the chart installs: valid for three minors, accepted by the server, restricted, consistent in itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from helming import CHART, ROOT, Run

from zestor_controller import EmbeddedCluster
from zestor_controller.chart import render
from zestor_controller.cli.target import load_target

VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
MINORS = ("1.29", "1.33", "1.37")
KINDS = {
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CustomResourceDefinition",
    "Deployment",
    "Role",
    "RoleBinding",
    "Service",
    "ServiceAccount",
}

pytestmark = pytest.mark.xdist_group("charts")


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def of(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [document for document in found if document["kind"] == kind]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as cluster:
        yield cluster


def test_the_chart_is_what_the_example_says() -> None:
    texts = render(load_target(str(ROOT / "examples" / "01_website")).manager)  # type: ignore[arg-type]
    there = {path.relative_to(CHART).as_posix(): path.read_text() for path in CHART.rglob("*") if path.is_file()}
    assert there.keys() == texts.keys()
    assert {path for path, text in texts.items() if there[path] != text} == set()


def test_rendering_twice_gives_the_same_text() -> None:
    target = str(ROOT / "examples" / "01_website")
    one, two = load_target(target).manager, load_target(target).manager
    assert one is not None
    assert two is not None
    assert render(one) == render(two)


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_every_manifest_is_valid_and_is_accepted(
    values: Path, major: Any, run_helm: Run, server: EmbeddedCluster
) -> None:
    found = documents(run_helm(major, "template", "r", str(CHART), "--values", str(values)).stdout)
    assert {document["kind"] for document in found} <= KINDS  # the validator lets an unknown kind pass
    for document in found:
        for minor in MINORS:
            kubernetes_validate.validate(document, minor, strict=True)
    for document in found:
        response = server.client.create(
            document, namespace=document["metadata"].get("namespace", "default"), dry_run=True
        )
        assert response["kind"] == document["kind"]


def test_the_crd_is_the_file_of_the_repository(run_helm: Run) -> None:
    for keep in ("true", "false"):
        text = run_helm("4", "template", "r", str(CHART), "--set", f"crds.keep={keep}").stdout
        (crd,) = of(documents(text), "CustomResourceDefinition")
        annotations = crd["metadata"].pop("annotations", {})
        assert annotations == ({"helm.sh/resource-policy": "keep"} if keep == "true" else {})
        assert crd == yaml.safe_load((ROOT / "crds" / "websites.demo.zestor.dev.yaml").read_text())
    assert (
        "CustomResourceDefinition"
        not in run_helm("4", "template", "r", str(CHART), "--set", "crds.enabled=false").stdout
    )


def test_the_pods_are_restricted_and_have_time_to_stop(run_helm: Run) -> None:
    """Pod Security "restricted": https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    (deployment,) = of(documents(run_helm("4", "template", "r", str(CHART)).stdout), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True
        assert not container["image"].endswith(":latest")
        assert "limits" not in container["resources"] or "cpu" not in container["resources"]["limits"]
    assert {"emptyDir", "name"} >= {key for volume in pod["volumes"] for key in volume}
    assert pod["terminationGracePeriodSeconds"] == 45
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
@pytest.mark.parametrize("release", ["r", "a" * 53])
def test_names_labels_and_ports_fit_together(values: Path, release: str, run_helm: Run) -> None:
    found = documents(run_helm("4", "template", release, str(CHART), "--values", str(values)).stdout)
    names = [
        (document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"]) for document in found
    ]
    assert len(names) == len(set(names))
    assert all(len(name) <= 63 for kind, _, name in names if kind != "CustomResourceDefinition")
    (deployment,) = of(found, "Deployment")
    template = deployment["spec"]["template"]
    selected = deployment["spec"]["selector"]["matchLabels"]
    assert selected.items() <= template["metadata"]["labels"].items()
    (container,) = template["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    for service in of(found, "Service"):
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    assert {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} <= ports
    accounts = {
        (account["metadata"]["namespace"], account["metadata"]["name"]) for account in of(found, "ServiceAccount")
    }
    for binding in of(found, "RoleBinding") + of(found, "ClusterRoleBinding"):
        (subject,) = binding["subjects"]
        assert (subject["namespace"], subject["name"]) in accounts
        referred = [
            d for d in of(found, binding["roleRef"]["kind"]) if d["metadata"]["name"] == binding["roleRef"]["name"]
        ]
        assert referred
    leased = [a.removeprefix("--lease-name=") for a in container["args"] if a.startswith("--lease-name=")]
    granted = [n for d in of(found, "Role") for rule in d["rules"] for n in rule.get("resourceNames", [])]
    assert leased == granted


def test_rights_in_namespaces_only_make_no_cluster_role(run_helm: Run) -> None:
    text = run_helm("4", "template", "r", str(CHART), "--set", "rbac.namespaced=true", "--namespace", "ops").stdout
    found = documents(text)
    assert of(found, "ClusterRole") == []
    assert {role["metadata"]["namespace"] for role in of(found, "Role")} == {"ops"}
    (deployment,) = of(found, "Deployment")
    assert "--namespaces=ops" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_value_that_no_template_reads_is_refused(major: Any, run_helm: Run) -> None:
    for wrong in ("image.tagg=x", "replicas=2", "leaderElection.leaseDuration=15", "logging.level=loud"):
        message = run_helm(major, "template", "r", str(CHART), "--set", wrong, fails=True).stderr
        assert wrong.split("=")[0].split(".")[0].removesuffix("s") in message
    run_helm(major, "template", "r", str(CHART), "--set", "global.team=web")


def test_no_account_is_ever_the_namespaces_default_one(major: Any, run_helm: Run) -> None:
    message = run_helm(major, "template", "r", str(CHART), "--set", "serviceAccount.create=false", fails=True).stderr
    assert "set serviceAccount.name to an account that exists" in message
    text = run_helm(
        major, "template", "r", str(CHART), "--set", "serviceAccount.create=false,serviceAccount.name=mine"
    ).stdout
    (deployment,) = of(documents(text), "Deployment")
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "mine"


def test_a_digest_wins_over_a_tag(run_helm: Run) -> None:
    digest = "sha256:" + "a" * 64
    for given, image in (
        ("image.tag=5", "website-operator:5"),
        (f"image.tag=5,image.digest={digest}", f"website-operator@{digest}"),
    ):
        text = run_helm("4", "template", "r", str(CHART), "--set", given).stdout
        (deployment,) = of(documents(text), "Deployment")
        assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image
