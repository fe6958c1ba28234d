"""Overview, cohorts and drift findings."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
