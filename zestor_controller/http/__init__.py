"""HTTP messages, and an HTTP/1.1 server for any handler of them.

The names of this package are the messages: pure values, which load neither asyncio nor ssl. The server is
:mod:`zestor_controller.http.server`; the client's side of a connection is `client`, not here.
"""

from zestor_controller.http.message import Handler, HttpRequest, HttpResponse

__all__ = ["Handler", "HttpRequest", "HttpResponse"]
