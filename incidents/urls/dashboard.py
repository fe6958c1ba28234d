"""The home of our own people."""

from django.urls import URLPattern

from incidents.views import dashboard
from tenants.access import staff_page
from tenants.roles import Permission

urlpatterns: list[URLPattern] = [
    staff_page("", dashboard.operations, name="staff-home", needs=Permission.STAFF_HOME),
]
