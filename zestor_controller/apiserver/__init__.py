"""The embedded API server: in process, over HTTPS, faithful to kube-apiserver."""

from zestor_controller.apiserver.api import ApiServer
from zestor_controller.apiserver.audit import AuditLog, AuditRecord

__all__ = ["ApiServer", "AuditLog", "AuditRecord"]
