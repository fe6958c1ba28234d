"""A web process of `bench ledger`: the product as it would be if model calls were charged nowhere.

Beside the product itself, in the same run, it shows what ledger, budgets and roll-ups cost ingest.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops.settings")
application = get_wsgi_application()

from agentops.budgets import services  # noqa: E402  Django has to be set up first

services.charge_many = lambda *, tenant, charges, at: 0
