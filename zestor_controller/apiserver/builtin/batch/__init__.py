"""The batch group: Jobs and CronJobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.batch import cronjob, job

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["resources"]


def resources() -> list[Resource]:
    """The resources of the group."""
    return [cronjob.resource(), job.resource()]
