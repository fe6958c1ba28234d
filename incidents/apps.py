from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the outbox, which stands below, who keeps the keys of pagers."""
        from agentops.outbox import credentials
        from incidents.queries import targets

        credentials.read_by(targets.credentials)
