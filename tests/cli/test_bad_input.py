"""Bad input at the command: a clear message, the right exit code, no traceback, no secret."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from zestor_controller.testing.processes import ApiServerProcess, zestor

ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "examples" / "01_website")


def refused(done: object, code: int, *texts: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for word in texts:
        assert word in done.stderr


def test_an_operator_that_does_not_import_is_reported_with_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("x = 1\n\nraise RuntimeError('no luck')\n")
    refused(zestor("run", str(tmp_path)), 2, "main.py:3", "RuntimeError: no luck")


def test_a_syntax_error_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    refused(zestor("dev", str(tmp_path / "broken.py")), 2, "broken.py:2")


def test_a_traceback_is_shown_with_debug(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("raise RuntimeError('no luck')\n")
    done = zestor("--debug", "run", str(tmp_path))
    assert "Traceback" in done.stderr


def test_a_target_that_is_not_there_and_one_without_an_operator(tmp_path: Path) -> None:
    refused(zestor("run", str(tmp_path / "nothing.py")), 2, "no such file")
    refused(zestor("run", str(tmp_path)), 2, "no main.py")
    (tmp_path / "empty.py").write_text("x = 1\n")
    refused(zestor("run", str(tmp_path / "empty.py")), 2, "no Manager")


def test_a_model_that_is_not_structural_names_the_field(tmp_path: Path) -> None:
    text = "from zestor_controller import *\nclass S(Spec):\n    pair: tuple[int, str] = (1, 'a')\n"
    text += "class W(CustomResource[S, Status], group='a.example.org', version='v1', plural='ws'):\n    '''W.'''\n"
    (tmp_path / "main.py").write_text(text + "c = Controller(W)\n")
    refused(zestor("crd", "generate", str(tmp_path)), 2, "spec.pair", "tuple")


def test_a_kubeconfig_that_is_missing_or_malformed(tmp_path: Path) -> None:
    refused(zestor("run", EXAMPLE, "--kubeconfig", str(tmp_path / "none")), 2, "does not exist")
    bad = tmp_path / "bad"
    bad.write_text("clusters:\n  - name: [\n")
    refused(zestor("run", EXAMPLE, "--kubeconfig", str(bad)), 2, "bad", "YAML")


def test_no_cluster_at_all_says_where_it_looked(tmp_path: Path) -> None:
    done = zestor("run", EXAMPLE, env={"HOME": str(tmp_path), "KUBECONFIG": ""})
    refused(done, 2, "no cluster", "--kubeconfig")


def test_a_port_in_use_is_exit_3(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = zestor("apiserver", "--port", port, "--kubeconfig", str(tmp_path / "k"))
    refused(done, 3, port, "in use")


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("a: 1\nb: [\n", ("objects.yaml:", "YAML")),
        ("apiVersion: v1\nkind: ConfigMap\n", ("objects.yaml:1", "metadata.name")),
        ("just text\n", ("objects.yaml:1", "an object is expected")),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: x.example.org/v1\nkind: Foo\n"
            "metadata: {name: b}\n",
            ("objects.yaml:5", "x.example.org/v1"),
        ),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n", ("objects.yaml:1", "metadata.name")),
    ],
)
def test_manifests_that_cannot_be_applied_name_the_file_and_the_line(
    tmp_path: Path, text: str, texts: tuple[str, ...]
) -> None:
    (tmp_path / "objects.yaml").write_text(text)
    done = zestor("apiserver", "--kubeconfig", str(tmp_path / "k"), "--apply", str(tmp_path / "objects.yaml"))
    refused(done, 2, *texts)
    assert "ready" not in done.stdout


def test_a_token_file_that_cannot_be_read_or_has_too_few_columns(tmp_path: Path) -> None:
    done = zestor("apiserver", "--kubeconfig", str(tmp_path / "k"), "--token-file", str(tmp_path / "none"))
    refused(done, 2, "token file")
    (tmp_path / "tokens").write_text("very-secret-token\n")
    done = zestor("apiserver", "--kubeconfig", str(tmp_path / "k"), "--token-file", str(tmp_path / "tokens"))
    refused(done, 2, "tokens:1")
    assert "very-secret-token" not in done.stderr


@pytest.mark.parametrize("verb", [["apiserver"], ["dev", EXAMPLE]])
def test_a_kubeconfig_of_other_clusters_is_never_overwritten(tmp_path: Path, verb: list[str]) -> None:
    path = tmp_path / "config"
    path.write_text("clusters: [{name: production, cluster: {server: 'https://p.example'}}]\n")
    before = path.read_text()
    refused(zestor(*verb, "--kubeconfig", str(path)), 2, "production", "name another file")
    assert path.read_text() == before


def test_an_unknown_verb_and_an_unknown_option_are_exit_2() -> None:
    refused(zestor("fly"), 2, "fly")
    refused(zestor("run", EXAMPLE, "--wings"), 2, "--wings")


def test_the_server_starts_serves_and_ends_with_0(tmp_path: Path) -> None:
    with ApiServerProcess("--audit-log", str(tmp_path / "audit"), folder=tmp_path) as server:
        assert server.kubeconfig.stat().st_mode & 0o777 == 0o600
        assert server.url.startswith("https://127.0.0.1:")
    assert server.code == 0


def test_dev_ends_with_0_when_the_condition_holds_and_prints_it_as_json(tmp_path: Path) -> None:
    done = zestor("dev", EXAMPLE, "--exit-when", "Ready", "--output", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["result"] == "Ready"
    assert lines[-1]["objects"][0]["object"] == "default/blog"
    assert {line.get("event") for line in lines[:-1]} >= {"note", "object", "reconcile"}


def test_dev_ends_with_1_and_a_diagnosis_when_the_condition_does_not_hold(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "01_website" / "main.py").read_text()
    (tmp_path / "main.py").write_text(
        text.replace("    ready = deployment", "    raise RuntimeError('no luck')\n    ready = deployment")
    )
    manifest = ROOT / "examples" / "01_website" / "manifests"
    done = zestor(
        "dev", str(tmp_path), "--apply", str(manifest), "--exit-when", "Ready", "--timeout", "3s", cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    assert "Website default/blog: has no condition Ready" in done.stderr
    assert "last error: RuntimeError: no luck" in done.stderr


def test_dev_refuses_a_condition_without_objects(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "01_website" / "main.py").read_text()
    (tmp_path / "main.py").write_text(text)
    refused(zestor("dev", str(tmp_path), "--exit-when", "Ready", cwd=tmp_path), 2, "--apply")


def test_the_server_says_in_json_where_it_serves(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "apiserver", "--output", "json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(20) == 0
    assert printed["ready"].startswith("https://127.0.0.1:")
    assert (tmp_path / printed["kubeconfig"]).is_file()
