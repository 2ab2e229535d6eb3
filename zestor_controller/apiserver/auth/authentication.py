"""Who asks: bearer tokens, anonymous requests, impersonation.

Invariant: a request that brings a token the server does not know is refused; it is never taken for an anonymous one.
"""

from __future__ import annotations

import csv
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from zestor_controller.apiserver.rest.status import Failure, status_body
from zestor_controller.apiserver.rest.user import User
from zestor_controller.errors import ConfigError
from zestor_controller.http import HttpRequest

__all__ = ["ADMINISTRATOR", "ANONYMOUS", "AUTHENTICATED", "TokenAuthenticator", "read_token_file"]

AUTHENTICATED: Final = "system:authenticated"
AUDIENCE: Final = "https://kubernetes.default.svc"
ACCOUNT: Final = "system:serviceaccount:"
ANONYMOUS: Final = User("system:anonymous", groups=("system:unauthenticated",))
ADMINISTRATOR: Final = User("kubernetes-admin", groups=("system:masters", AUTHENTICATED))


def account_groups(namespace: str) -> tuple[str, str]:
    """The groups of every service account of a namespace."""
    return "system:serviceaccounts", f"system:serviceaccounts:{namespace}"


def read_token_file(path: Path) -> dict[str, User]:
    """Tokens of a CSV file: ``token,user,uid,"group1,group2"``.

    Raises:
        ConfigError: the file cannot be read, or a line has too few columns.
    """
    tokens: dict[str, User] = {}
    try:
        with path.open(newline="") as file:
            for number, row in enumerate(csv.reader(file, skipinitialspace=True), 1):
                if not row:
                    continue
                if len(row) < 3 or not row[0] or not row[1]:
                    raise ConfigError(f'{path}:{number}: a line is token,user,uid,"group1,group2"')
                groups = tuple(group.strip() for group in row[3].split(",") if group.strip()) if len(row) > 3 else ()
                tokens[row[0]] = User(row[1], row[2], (*groups, AUTHENTICATED))
    except OSError as error:
        raise ConfigError(f"cannot read the token file {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the token file {path} is not a text file") from error
    return tokens


class Verify(Protocol):
    """Judges tokens that stand in no list."""

    def __call__(self, token: str, audiences: Sequence[str]) -> User | None:
        """The user of a token; None for one that it does not know."""
        ...


@dataclass(slots=True)
class TokenAuthenticator:
    """Knows users by their bearer tokens.

    Attributes:
        tokens: from a token to its user.
        anonymous: requests without a token are ``system:anonymous``; else they are refused.
        verify: judges tokens that stand in no list (service account tokens); answers None for one it does not know.
    """

    tokens: Mapping[str, User]
    anonymous: bool = False
    verify: Verify | None = None

    def authenticate(self, request: HttpRequest) -> User:
        """The user of a request.

        Raises:
            Failure: 401 for a missing or unknown token.
        """
        header = request.headers.get("authorization", "")
        scheme, _, token = header.partition(" ")
        if not header:
            if self.anonymous:
                return ANONYMOUS
            raise _unauthorized()
        if scheme.lower() != "bearer":
            raise _unauthorized()
        found = self.review(token.strip(), (AUDIENCE,))
        if found is None:
            raise _unauthorized()
        return found

    def review(self, token: str, audiences: Sequence[str]) -> User | None:
        """The user of a token that is meant for one of these audiences; None for another.

        Tokens of the list are meant for the server.
        """
        for known, user in self.tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                return user if AUDIENCE in audiences else None
        return self.verify(token, audiences) if self.verify is not None else None


def _unauthorized() -> Failure:
    return Failure(status_body(401, "Unauthorized", "Unauthorized"))
