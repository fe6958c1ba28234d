"""Settings of the tests: the product's own, on engines started for this session.

pytest-django reads settings before any conftest is loaded, and settings read the engines' addresses as they are
imported, so this module is the one place early enough to start them. The pytest process that starts (xdist's
controller) starts them; workers and subprocesses inherit the addresses by environment.
"""

import os

from tests import engines

os.environ.setdefault("AGENTOPS_SECRET_KEY", "a key of the tests, which nothing outside them may use")
engines.ensure()

from agentops.settings import *  # noqa: E402, F403
from agentops.settings import DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # PBKDF2 takes 0.4 s a sign-in
for _database in DATABASES.values():
    _database["NAME"] = os.environ.get(engines.DATABASE, _database["NAME"])
WHITENOISE_AUTOREFRESH = True  # static files are looked up when asked for, not all of them for every test client
