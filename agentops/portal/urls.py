"""Pages that cross apps."""

from agentops.portal import styleguide, views
from tenants.access import own_page, staff_page, tenant_page
from tenants.roles import Permission

urlpatterns = [
    own_page("", views.home, name="home"),
    tenant_page("", views.tenant_home, name="tenant-home", needs=Permission.HOME),
    staff_page("", views.staff_home, name="staff-home", needs=Permission.STAFF_HOME, across_tenants=True),
    own_page("styleguide/", styleguide.styleguide, name="styleguide"),  # staff, in debug only
]
