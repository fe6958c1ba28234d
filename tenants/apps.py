from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tenants import openapi, sign_in_entries  # noqa: F401  drf-spectacular and allauth learn of them by their being defined
