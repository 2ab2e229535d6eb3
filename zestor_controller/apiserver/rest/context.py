"""One request on its way through the server: what every verb is handed, and what it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from zestor_controller.apiserver.rest.requestinfo import RequestInfo
from zestor_controller.apiserver.rest.resource import Resource, Subresource, User
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.http import HttpRequest

__all__ = ["Call", "Reply"]


@dataclass(slots=True)
class Call:
    """A request whose path is understood and whose user may do it.

    Attributes:
        request: as it came.
        info: what its path and method say.
        query: the parameters; of a repeated one the first counts.
        user: who asks.
        resource: what is asked for.
        subresource: the part of it that is asked for; None for the object itself.
        now: the time, RFC 3339 with seconds.
        warnings: texts for ``Warning`` headers, whatever becomes of the request.
    """

    request: HttpRequest
    info: RequestInfo
    query: Mapping[str, str]
    user: User
    resource: Resource
    subresource: Subresource | None
    now: str
    warnings: list[str] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """Every value of a query parameter."""
        return [value for key, value in self.request.query if key == name]

    @property
    def manager(self) -> str:
        """The field manager of a write that names none: the user agent's first word."""
        agent = self.request.headers.get("user-agent", "")
        return agent.partition("/")[0][:128] or "unknown"


@dataclass(slots=True)
class Reply:
    """What a verb answers.

    Attributes:
        status: the HTTP status code.
        value: an object; None where `raw` or `stream` is given.
        raw: bytes that are ready to be sent: an object or list as JSON, unless `media` says otherwise.
        media: the content type of `raw`; the negotiated one unless given.
        stream: the chunks of a watch.
        shaped: `value` is not to be turned into a Table or a partial object.
    """

    status: int = 200
    value: Json | None = None
    raw: bytes | None = None
    media: str = ""
    stream: AsyncIterator[bytes] | None = None
    shaped: bool = False
