from django.apps import AppConfig


class BudgetsConfig(AppConfig):
    name = "agentops.budgets"
    default_auto_field = "django.db.models.BigAutoField"
