from django.apps import AppConfig


class ConfirmationsConfig(AppConfig):
    name = "agentops.confirmations"
    default_auto_field = "django.db.models.BigAutoField"
