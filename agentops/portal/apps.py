from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "agentops.portal"
    default_auto_field = "django.db.models.BigAutoField"
