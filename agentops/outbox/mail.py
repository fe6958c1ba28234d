"""One mail, once, by Django's mail API: which back end that is, and which server, settings say."""

from __future__ import annotations

import smtplib
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.mail.message import BadHeaderError, sanitize_address
from django.core.validators import validate_email
from django.template import Context, TemplateDoesNotExist
from django.template.loader import get_template

from agentops.outbox.types import Claimed, Outcome

_SUBJECT = "Subject:"
# 5xx that say nothing of this message: authentication, and what the server asks of us, are for the operator to mend.
_OURS_TO_MEND = {530, 534, 535, 538}


def deliver(claimed: Claimed) -> Outcome:
    """Hand it to the mail server. Sent means taken by the server: what happens then, it tells by a mail of its own."""
    try:
        validate_email(claimed.destination)  # Django's API sends to nobody, and says nothing, where it is empty
        subject, text = written(claimed.template, claimed.context)
        mail = EmailMessage(subject, text, None, [claimed.destination], headers=_headers(claimed))
        mail.send()
    except TemplateDoesNotExist:
        return Outcome(is_sent=False, detail=f"There is no template {claimed.template}.", is_final=True)
    except (ValidationError, BadHeaderError, UnicodeError, ValueError):
        return Outcome(is_sent=False, detail="Its address is none that mail can be sent to.", is_final=True)
    except smtplib.SMTPRecipientsRefused as error:
        code, reason = next(iter(error.recipients.values()))
        return _refused(code, reason)
    except smtplib.SMTPResponseException as error:
        return _refused(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        return Outcome(is_sent=False, detail=f"The mail server could not be reached ({type(error).__name__}).")
    return Outcome(is_sent=True)


def written(template: str, context: dict[str, Any]) -> tuple[str, str]:
    """Subject and text. The first lines of a template, up to an empty one, are its subject. Nothing is escaped for HTML."""
    backend_template: Any = get_template(template)
    text: str = backend_template.template.render(Context(context, autoescape=False))
    head, _, body = text.lstrip().partition("\n\n")
    if not head.startswith(_SUBJECT):
        return "agentops", text.strip() + "\n"
    return " ".join(head.removeprefix(_SUBJECT).split()), body.strip() + "\n"


def _headers(claimed: Claimed) -> dict[str, str]:
    """The same id at each attempt, so that a mail server or reader can tell a second copy."""
    domain = sanitize_address(settings.DEFAULT_FROM_EMAIL, "utf-8").rpartition("@")[2].strip(">") or "localhost"
    return {"Message-ID": f"<{claimed.id.hex}@{domain}>", "Auto-Submitted": "auto-generated"}


def _refused(code: int, reason: bytes | str) -> Outcome:
    words = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    is_final = 500 <= code < 600 and code not in _OURS_TO_MEND
    return Outcome(
        is_sent=False, status=code, detail=f"The mail server refused it: {code} {words[:300]}", is_final=is_final
    )
