"""The embedded API server: in process, over HTTPS, faithful to kube-apiserver."""

from zestor_controller.apiserver.auth.audit import AuditLog, AuditRecord
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.apiserver.server.api import ApiServer

__all__ = ["ADMINISTRATOR", "ApiServer", "AuditLog", "AuditRecord", "TokenAuthenticator"]
