"""The web process of `bench guard`: the product, and one route more that does nothing but SELECT 1.

The route measures what every decision pays before the guard does anything: HTTP, the key, the scope, one round trip.
"""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops.settings")
django.setup(set_prefix=False)
settings.ROOT_URLCONF = "agentops.portal.bench.urls"
application = get_wsgi_application()
