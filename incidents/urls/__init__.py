"""Pages of staff for alerts, incidents and on-call, and the doors for machines, by part."""

from django.urls import URLPattern

from incidents.urls import alerts, dashboard, evidence, learning, lifecycle, oncall, paging

urlpatterns: list[URLPattern] = [
    *alerts.urlpatterns,
    *paging.urlpatterns,
    *learning.urlpatterns,
    *evidence.urlpatterns,
    *oncall.urlpatterns,
    *dashboard.urlpatterns,
    *lifecycle.urlpatterns,  # the last: its incidents/<ref>/ takes any word
]
