"""Pages of staff for alerts, incidents and on-call, and the doors for machines, by part."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
