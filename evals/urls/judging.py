"""Rubrics, judges, calibration, and what was judged."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
