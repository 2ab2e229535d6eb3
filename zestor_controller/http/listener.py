"""Accepting connections: a bound on their number, a limit on the TLS handshake, and errors that do not spin.

Invariant: a connection takes one of a fixed number of places from its accept to its end. While none is free, or the
process has no descriptor left, nothing is accepted: clients wait in the kernel's backlog, and the log says why.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Final

try:
    import resource
except ImportError:  # no such limits on this platform
    resource = None  # type: ignore[assignment]

__all__ = ["Connection", "Listener", "connection_limit"]

_log = logging.getLogger(__name__)

HANDSHAKE_S: Final = 32.0
REPORT_S: Final = 60.0  # between two lines of the log that say the same
RETRY_S: Final = 1.0  # the longest pause of Go's net/http after a failed accept
BACKLOG: Final = 512
MOST: Final = 10_000
RESERVED: Final = 128  # descriptors for everything else: files, the controllers' own connections
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Connection(asyncio.Protocol):
    """The protocol of a connection that takes a place.

    Attributes:
        gone: set when the connection has ended.
    """

    def __init__(self) -> None:
        self.gone = asyncio.Event()


def connection_limit() -> int:
    """How many connections a process serves at once: what its descriptors allow."""
    if resource is None:
        return MOST
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(16, min(MOST, soft - RESERVED))


class Listener:
    """Accepts connections on one address until it is closed.

    Args:
        connect: makes the protocol of a connection.
        tls: a server's TLS context; None for plain connections.
        limit: how many connections there are at once.
    """

    def __init__(self, connect: Callable[[], Connection], tls: ssl.SSLContext | None, limit: int) -> None:
        self._connect = connect
        self._tls = tls
        self._places = asyncio.Semaphore(limit)
        self._limit = limit
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._unserved: set[socket.socket] = set()
        self._reported = -math.inf

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port.

        Raises:
            OSError: the address cannot be had.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, address in dict.fromkeys((entry[0], entry[4][0]) for entry in found):
                made = socket.create_server((str(address), port), family=family, backlog=BACKLOG)
                made.setblocking(False)
                port = int(made.getsockname()[1])  # where a host has several addresses, they share the port
                self._sockets.append(made)
        except OSError:
            await self.close()
            raise
        for made in self._sockets:
            self._run(self._accept(made))
        return port

    async def close(self) -> None:
        """Accept nothing more, and give up handshakes that are under way; connections are left to their owner."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for made in (*self._sockets, *self._unserved):
            made.close()
        self._sockets.clear()
        self._unserved.clear()

    def _run(self, main: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(main)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self._places.locked() and loop.time() - self._reported > REPORT_S:
                self._reported = loop.time()
                _log.warning("all %d connections are in use; new ones wait until one ends", self._limit)
            await self._places.acquire()
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:
                self._places.release()
                if error.errno in _EXHAUSTED:
                    _log.warning("connections cannot be accepted, the next attempt is in %g s: %s", RETRY_S, error)
                    await asyncio.sleep(RETRY_S)
                continue  # the client has given up already
            except asyncio.CancelledError:
                self._places.release()
                raise
            self._unserved.add(accepted)
            self._run(self._serve(accepted))

    async def _serve(self, accepted: socket.socket) -> None:
        """One connection, from its handshake to its end."""
        self._unserved.discard(accepted)
        try:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # finds clients that vanished in a watch
            connection = self._connect()  # not what the call returns: that is uvloop's own for TLS
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_S if self._tls is not None else None,
            )
            await connection.gone.wait()
        except OSError as error:  # TLS errors and the end of HANDSHAKE_S are among them
            _log.debug("a connection ended in its handshake: %s", error)
        except Exception:  # a bug in what the connection is made of must not go unseen
            _log.exception("a connection could not be served")
        finally:
            self._places.release()
