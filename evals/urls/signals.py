"""Feedback, outcomes and signals."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
