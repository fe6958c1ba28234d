"""A web process of `bench audit`: the product as it would be if tool calls and side effects left no audit entries.

Beside the product itself, in the same run, it shows what the entries cost ingest.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops.settings")
application = get_wsgi_application()

from agentops.traces import audited  # noqa: E402  Django has to be set up first

audited.is_audited = lambda counted: False
