"""The WSGI entry that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from agentops.common.memory import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops.settings")
application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018  every view is loaded here, before processes part, and not by the first request

settle()
