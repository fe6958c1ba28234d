"""Wiring. This app stands last in INSTALLED_APPS, so its `post_migrate` receiver sees every table of the others."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class WiringConfig(AppConfig):
    name = "agentops"
    label = "wiring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from agentops import celery  # noqa: F401 - the current app: without it a task goes to a broker that is not ours
        from agentops.common import rowsecurity
        from agentops.portal.partitions import make_partitions

        post_migrate.connect(rowsecurity.apply, sender=self, dispatch_uid="rowsecurity")
        post_migrate.connect(make_partitions, sender=self, dispatch_uid="partitions")
