"""A message as its page shows it: without what only its receiver may know."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.template import TemplateDoesNotExist

from agentops.outbox import mail
from agentops.outbox.models import Message
from agentops.outbox.types import Channel

HIDDEN = "(not shown)"


@dataclass(frozen=True, slots=True)
class Line:
    """A message in a list, by what it is about."""

    message: Message

    @property
    def subject(self) -> str:
        return content(self.message).subject or self.message.template


@dataclass(frozen=True, slots=True)
class Content:
    """What is said: a mail's subject and text, or the data of a webhook or page."""

    subject: str
    text: str


def content(message: Message) -> Content:
    """Whoever looks after an organisation is not who a code was mailed to: secrets are left out before they are wiped, too."""
    shown = {**message.context, **dict.fromkeys(message.secrets, HIDDEN)}
    if message.channel != Channel.MAIL:
        data = json.dumps(shown, indent=2, ensure_ascii=False)
        return Content(str(shown.get("summary") or message.template), data)
    try:
        return Content(*mail.written(message.template, shown))
    except TemplateDoesNotExist:
        return Content("", "")
