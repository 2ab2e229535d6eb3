"""The recorded responses of kube-apiserver 1.36, replayed against the server as users start it."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zestor_controller.testing.processes import ApiServerProcess

HERE = Path(__file__).parent
SCENARIOS = sorted(HERE.glob("*.jsonl"))
HOOK = (
    "import ssl,sys,urllib.request as u; c=ssl._create_unverified_context();"
    "r=u.Request(sys.argv[1]+'/zestor/v1/compact',method='POST',headers={'Authorization':'Bearer golden-admin'});"
    "u.urlopen(r,context=c)"
)
ATTEMPTS = 3
MANAGERS = re.compile(r"^ +- body\.mf\[\d+\]\.manager: expected", re.MULTILINE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> ApiServerProcess:
    folder = tmp_path_factory.mktemp("golden")
    tokens = folder / "tokens.csv"
    tokens.write_text('golden-admin,admin,1,"system:masters"\nweak,weak-user,2,"devs"\n')
    with ApiServerProcess("--rbac", "--token-file", str(tokens), folder=folder) as process:
        yield process


@pytest.mark.timeout(180)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a1_every_recorded_response_is_given(server: ApiServerProcess, scenario: Path) -> None:
    command = [sys.executable, str(HERE / "replay.py"), "--base-url", server.url, "--fresh", "--sleep-factor", "0.2"]
    command += ["--token", "golden-admin", "--weak-token", "weak"]
    command += ["--compact-hook", f'{sys.executable} -c "{HOOK}" {server.url}', str(scenario)]
    for _ in range(ATTEMPTS):
        # Managers are ordered by their times in whole seconds: what was recorded within one second is replayed from the
        # start of one, and again where a loaded machine took longer than that.
        time.sleep(1 - time.time() % 1)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not MANAGERS.search(done.stdout):
            break
    assert done.returncode == 0, done.stdout
    assert re.search(r"^[1-9]\d* passed, 0 failed$", done.stdout, re.MULTILINE), done.stdout
