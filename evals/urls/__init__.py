"""Quality: pages for an organisation's people and for staff, and the API for machines, by part."""

from django.urls import URLPattern

from evals.urls import drift, gates, judging, queue, sets, signals

urlpatterns: list[URLPattern] = [
    *drift.urlpatterns,
    *judging.urlpatterns,
    *queue.urlpatterns,
    *sets.urlpatterns,
    *gates.urlpatterns,
    *signals.urlpatterns,
]
