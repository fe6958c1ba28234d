"""Second factors of the demo's people: an app's secret, printed for whoever starts the demo, and its code of the moment.

As public as their password: whoever knows one knows the other, and neither is good for anything but the demo.
"""

from __future__ import annotations

import base64
import hashlib
import time
from urllib.parse import quote, urlencode

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.conf import settings

from agentops.portal.demo import cast
from tenants.types import User

PERIOD_SECONDS = 30  # RFC 6238


def secret_of(member: cast.Member) -> str:
    """The same at each start, so that an app that was set up once stays good."""
    return base64.b32encode(hashlib.sha256(f"agentops demo {member.email}".encode()).digest()[:20]).decode()


def address_of(member: cast.Member) -> str:
    """What an authenticator app reads, as text or as a QR code (the "Key Uri Format")."""
    label = quote(f"{settings.MFA_TOTP_ISSUER}:{member.email}", safe="")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret_of(member), 'issuer': settings.MFA_TOTP_ISSUER})}"


def code_of(member: cast.Member) -> str:
    """What their app shows now."""
    code: str = format_hotp_value(hotp_value(secret_of(member), int(time.time()) // PERIOD_SECONDS))
    return code


def enrol(user: User, member: cast.Member) -> None:
    """Give them an authenticator, if they have none."""
    if not Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
        TOTP.activate(user, secret_of(member))
