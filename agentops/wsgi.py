"""The WSGI entry that gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops.settings")
application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018  every view is loaded here, before processes part, and not by the first request

# A batch of spans is ten thousands of small objects without a cycle among them. Python's collector would walk the
# loaded program and the batch again and again to find that out: a twelfth of the time of ingest. Frozen, the loaded
# program also stays shared between the processes.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 10, 10)
