"""Another name of :mod:`zestor_controller.apiserver.auth.authentication`, where it was until 0.1; goes with 0.3."""

from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, ANONYMOUS, TokenAuthenticator

__all__ = ["ADMINISTRATOR", "ANONYMOUS", "TokenAuthenticator"]
