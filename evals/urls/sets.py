"""Eval sets, suites and replays."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
