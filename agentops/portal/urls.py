"""Pages that cross apps."""

from agentops.portal import styleguide, views
from tenants.access import own_page, tenant_page
from tenants.roles import Permission

urlpatterns = [
    own_page("", views.home, name="home"),
    tenant_page("", views.tenant_home, name="tenant-home", needs=Permission.HOME),
    own_page("styleguide/", styleguide.styleguide, name="styleguide"),  # staff, in debug only
]
