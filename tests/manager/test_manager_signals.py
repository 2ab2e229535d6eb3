"""L3 in a process of its own: SIGTERM ends it with 0, a second signal ends it now, abandoned work does not keep it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from plainserver import PlainServer

from zestor_controller.http import HttpRequest

OPERATOR = """
import asyncio, logging, sys, threading
from datetime import timedelta
from zestor_controller import Controller, Manager

logging.basicConfig(level=logging.INFO, stream=sys.stderr)
settings = Controller("v1/ConfigMap", timeout=timedelta(seconds=float(sys.argv[3])))


async def patient(obj, ctx):
    print("begin", flush=True)
    await asyncio.sleep(0.2)
    print("end", flush=True)


async def stubborn(obj, ctx):
    print("begin", flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass


def frozen(obj, ctx):
    print("begin", flush=True)
    threading.Event().wait()


settings.reconciler(globals()[sys.argv[2]])
manager = Manager(settings, kubeconfig=sys.argv[1], grace=timedelta(seconds=float(sys.argv[4])))
sys.exit(manager.run())
"""


@asynccontextmanager
async def operator(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The operator at work in a process, its first reconcile begun."""
    server = PlainServer()
    server.put("configmaps", "a")

    async def response(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = list(request.query.items())
        made = await server.handle(HttpRequest(request.method, request.path, query, headers, await request.read()))
        if isinstance(made.body, bytes):
            return web.Response(status=made.status, headers=made.headers, body=made.body)
        response = web.StreamResponse(status=made.status, headers=made.headers)
        await response.prepare(request)
        async for chunk in made.body:
            await response.write(chunk)
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", response)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "config").write_text(yaml.safe_dump(config))
    (folder / "settings_operator.py").write_text(OPERATOR)
    pipe = asyncio.subprocess.PIPE
    program = [sys.executable, "settings_operator.py", "config", *arguments]
    process = await asyncio.create_subprocess_exec(*program, cwd=folder, stdout=pipe, stderr=pipe)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        if line != b"begin\n":
            pytest.fail(f"the operator did not begin: {(await process.communicate())[1].decode()}")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await runner.cleanup()


async def end_of(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, out.decode(), err.decode()


async def test_l3_sigterm_lets_the_running_reconcile_finish_and_exits_zero(tmp_path: Path) -> None:
    async with operator(tmp_path, "patient", "60", "30") as process:
        process.send_signal(signal.SIGTERM)
        code, out, err = await end_of(process)
    assert (code, out) == (0, "end\n"), err
    assert "SIGTERM: stopping" in err


async def test_l3_a_second_signal_exits_now(tmp_path: Path) -> None:
    async with operator(tmp_path, "stubborn", "60", "30") as process:
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        while b"SIGTERM: stopping" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        code, _, err = await end_of(process)
    assert code == 130, err
    assert "SIGINT again: exiting now" in err


@pytest.mark.parametrize("function", ["stubborn", "frozen"])
async def test_l3_abandoned_work_does_not_keep_the_process_from_ending(tmp_path: Path, function: str) -> None:
    async with operator(tmp_path, function, "0.1", "0.1") as process:
        process.send_signal(signal.SIGTERM)
        code, _, err = await end_of(process)
    assert code == 0, err
    assert "default/a still runs at the end of the grace period" in err
