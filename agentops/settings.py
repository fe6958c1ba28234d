"""Settings. Everything that differs between machines comes from the environment, read by agentops/env.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentops import env

BASE_DIR = Path(__file__).resolve().parent.parent
DEBUG = env.env_bool("AGENTOPS_DEBUG", default=False)
SECRET_KEY = env.secret_key()
# Earlier keys, separated by commas: sessions signed with them go on, and permits of theirs can be checked.
SECRET_KEY_FALLBACKS = env.env_list("AGENTOPS_SECRET_KEY_FALLBACKS", default=[])
# A maintenance process (partitions, retention; later sealing and erasure) works as the owner of the tables.
IS_MAINTENANCE = env.env_str("AGENTOPS_ROLE", default="app") == "maintenance"
ALLOWED_HOSTS = env.env_list("AGENTOPS_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", ".localhost"])
TRUSTED_PROXIES = env.env_int("AGENTOPS_TRUSTED_PROXIES", 0, at_least=0, at_most=10)
CSRF_TRUSTED_ORIGINS = env.env_list("AGENTOPS_TRUSTED_ORIGINS", default=[])
IS_HTTPS = env.env_bool("AGENTOPS_HTTPS", default=False)
VERSION = "0.1.0"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "heroicons",
    "guardian",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "audit",
    "tenants",
    "agentops.outbox",
    "agentops.budgets",
    "agentops.catalog",
    "agentops.confirmations",
    "agentops.traces",
    "agentops.runtime",
    "evals",
    "incidents",
    "agentops.portal",
    "agentops",
]

MIDDLEWARE = [
    "agentops.middleware.MachineDoor",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "agentops.middleware.Origins",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "agentops.middleware.Refusals",
]
APPEND_SLASH = True
ROOT_URLCONF = "agentops.urls"
WSGI_APPLICATION = "agentops.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "agentops.portal.frame.frame",
            ],
            "builtins": [
                "agentops.portal.templatetags.words",
                "agentops.portal.templatetags.places",
                "agentops.portal.templatetags.states",
                "agentops.portal.templatetags.icons",
                "agentops.portal.templatetags.heads",
            ],
        },
    },
]


# -- engines ----------------------------------------------------------------------------------------------------------


def _database(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": params["dbname"],
        "USER": params["user"],
        "PASSWORD": params.get("password", ""),
        "HOST": params["host"],
        "PORT": str(params.get("port", "")),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "application_name": env.env_str("AGENTOPS_PROCESS", default="agentops"),
            "prepare_threshold": 1_000_000_000,  # only what asks for it, see common/prepared.py
            **env.connection_options(params),
        },
    }


ENGINES = env.engines()
DATABASES = {
    "default": _database(ENGINES.owner if IS_MAINTENANCE else ENGINES.database),
    "owner": _database(ENGINES.owner),
}
PREPARED_STATEMENTS = env.env_bool("AGENTOPS_PREPARED_STATEMENTS", default=True)
DATABASE_ROUTERS = ["agentops.common.router.OwnerMigrates"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Login throttles must hold when Valkey is gone, so the default cache is a table.
# At Django's 300 entries a flood of attempts under other names would push a name's own counter out.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "django_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# Tables without a tenant. A model that is neither here nor TenantOwned/AppendOnly stops the migration.
GLOBAL_TABLES = {
    "account_emailaddress",
    "account_emailconfirmation",
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "budgets_productfinding",
    "budgets_productplan",
    "django_cache",
    "django_content_type",
    "django_session",
    "guardian_groupobjectpermission",
    "guardian_userobjectpermission",
    "mfa_authenticator",
    "runtime_productswitch",
    "tenants_staffassignment",
    "tenants_stafftoken",
    "tenants_tenant",
    "tenants_user",
    "tenants_user_groups",
    "tenants_user_user_permissions",
}
READ_ONLY_TABLES = {"django_migrations", "audit_signingkey"}
# Called with the owner's cursor when a person is erased (audit/services/erasing.py), in its transaction.
FORGETTERS = ["evals.services.keeping.erasing.forget_person"]
# Before that, slice by slice, each app's tables (its STEPS; what has to end first, WAITS; what stays, KEPT), in this order: what
# tells whose a run is (traces_run, runtime_guardedrun) goes after all that asks it, so runtime and traces come last.
FORGOTTEN_TABLES = [
    "agentops.outbox.forgetting",
    "agentops.catalog.forgetting",
    "agentops.budgets.forgetting",
    "agentops.confirmations.forgetting",
    "incidents.forgetting",
    "tenants.forgetting",
    "agentops.runtime.forgetting",
    "agentops.traces.forgetting",
]

# -- people -----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "tenants.sign_in.ClosedDoor"
ACCOUNT_FORMS = {"login": "tenants.sign_in_forms.SignInForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_ON_PASSWORD_RESET = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # its mail would lead to the sign-up page, which is not there
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_SESSION_REMEMBER = None
# Accounts are made by admins for an address they know, so nobody can take another's by signing up unverified.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not IS_HTTPS
MFA_TOTP_ISSUER = "agentops"
MFA_TOTP_TOLERANCE = 1  # a code that is typed as its half minute ends still counts (RFC 6238, 5.2); used codes do not

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SECURE_SSL_REDIRECT = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# -- what leaves the house --------------------------------------------------------------------------------------------

# How people's browsers reach this installation: links in mails begin with it.
PUBLIC_URL = env.public_url(default="http://localhost:8000")
# By which name this installation signs the heads of its audit logs, and where the keys for that are.
AUDIT_ORIGIN = env.audit_origin(default="agentops.local")
AUDIT_KEY_DIR = env.env_str("AGENTOPS_AUDIT_KEY_DIR", default=str(ENGINES.secrets_dir / "audit"))
EMAIL_HOST = env.env_str("AGENTOPS_EMAIL_HOST", default="localhost")
EMAIL_PORT = env.env_int("AGENTOPS_EMAIL_PORT", default=587, at_least=1, at_most=65535)
EMAIL_HOST_USER = env.env_str("AGENTOPS_EMAIL_USER", default="")
EMAIL_HOST_PASSWORD = env.env_str("AGENTOPS_EMAIL_PASSWORD", default="")
_EMAIL_TLS = env.env_choice("AGENTOPS_EMAIL_TLS", ("starttls", "tls", "off"), default="starttls")
EMAIL_USE_TLS, EMAIL_USE_SSL = _EMAIL_TLS == "starttls", _EMAIL_TLS == "tls"
EMAIL_TIMEOUT = 20  # seconds for each answer of the server; a claim of the outbox is longer
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.env_str("AGENTOPS_EMAIL_FROM", default="agentops@localhost")
# Without a mail server, mails are written to the output of the process that sends them.
EMAIL_BACKEND = env.env_str(
    "AGENTOPS_EMAIL_BACKEND",
    default=f"django.core.mail.backends.{'smtp' if env.env_str('AGENTOPS_EMAIL_HOST') else 'console'}.EmailBackend",
)
# Hosts ("name" or "name:port") that webhooks may reach although they are not public, also without TLS: for development.
WEBHOOK_ALLOWED_HOSTS = env.env_list("AGENTOPS_WEBHOOK_ALLOWED_HOSTS")
WEBHOOK_CA_FILE = env.env_str("AGENTOPS_WEBHOOK_CA_FILE", default="")

# -- machines ---------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.machines.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.machines.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["agentops.common.json.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "agentops.common.json.OneForm",
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "agentops.common.problems.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "agentops",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": [],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},  # its validator is somebody else's server
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
WEB_THREADS = env.env_int("AGENTOPS_WEB_THREADS", default=4)  # of one web process
INGEST_MAX_BYTES = env.env_int("AGENTOPS_INGEST_MAX_BYTES", default=64 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

# -- the rest ---------------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "agentops.portal.finders.PlotlyFinder",
]
# Where `collectstatic` wrote, if it did; without it WhiteNoise serves what the finders find.
STATIC_ROOT = env.env_str("AGENTOPS_STATIC_ROOT")
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.env_log_level("AGENTOPS_LOG_LEVEL", default="INFO")},
}
