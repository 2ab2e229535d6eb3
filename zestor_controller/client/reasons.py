"""Why a connection failed, as text for users: aiohttp's own texts contain representations of Python objects."""

from __future__ import annotations

import os
import socket
import ssl

__all__ = ["connection_failure"]


def connection_failure(error: BaseException) -> str:
    """The reason of an error of the HTTP library or of a socket, in one line."""
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    for one in (cause, error.__cause__):
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"the server's certificate is not trusted: {one.verify_message or _text(one)}"
    if cause is not None:
        host, port = getattr(error, "host", ""), getattr(error, "port", "")
        return f"cannot connect to {host}:{port}: {_text(cause)}"
    text = " ".join(str(error).split())
    if "payload is not completed" in text:
        return "the connection ended in the middle of the response"
    return text or type(error).__name__


def _text(error: BaseException) -> str:
    """What the operating system says."""
    plain = isinstance(error, OSError) and not isinstance(error, ssl.SSLError | socket.gaierror)
    number = error.errno if plain and isinstance(error, OSError) else None
    if number:  # asyncio puts the address in the place of the system's text
        return os.strerror(number)
    strerror = getattr(error, "strerror", None)
    return " ".join(str(strerror or error).split()) or type(error).__name__
