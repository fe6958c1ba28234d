"""Gates before agent versions."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
