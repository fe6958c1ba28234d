"""Chat by Apprise: services whose address is their vendor's, and servers of our own that the installation itself names.

An Apprise URL can do much more than to say where: load templates from files, switch off checks of certificates, wait for
ever. So what follows a `?` is refused, and so is every service that is not listed here.
"""

from __future__ import annotations

import re
from typing import Any

import apprise
from apprise import AppriseAsset, NotifyFormat, NotifyType
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.google_chat import NotifyGoogleChat
from apprise.plugins.mattermost import NotifyMattermost
from apprise.plugins.rocketchat import NotifyRocketChat
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from apprise.plugins.workflows import NotifyWorkflows
from django.conf import settings

from agentops.outbox import credentials
from agentops.outbox.addresses import Closed, resolve
from agentops.outbox.pagers.document import Page, read
from agentops.outbox.types import Claimed, Outcome

VENDORS = {"slack": "Slack", "discord": "Discord", "gchat": "Google Chat", "tgram": "Telegram", "workflows": "Teams"}
# Theirs may be anywhere, so only AGENTOPS_WEBHOOK_ALLOWED_HOSTS opens one.
OUR_SERVERS = {"mmost": "Mattermost", "mmosts": "Mattermost", "rocket": "Rocket.Chat", "rockets": "Rocket.Chat"}
EXPECTED = f"an Apprise URL that begins with {', '.join(f'{each}://' for each in VENDORS)}, and has no ? in it"
_CLASSES: tuple[Any, ...] = (
    NotifySlack,
    NotifyDiscord,
    NotifyGoogleChat,
    NotifyTelegram,
    NotifyWorkflows,
    NotifyMattermost,
    NotifyRocketChat,
)
_NATIVE = ("https://hooks.slack.com/", "https://discord.com/", "https://chat.googleapis.com/")
_TEAMS = (".logic.azure.com", ".powerplatform.com", ".powerautomate.com")  # the one vendor whose URL names a host
_PLACES_MOST = 5
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 10.0
_MARKS = {1: NotifyType.FAILURE, 2: NotifyType.FAILURE, 3: NotifyType.WARNING}
_STATUS = re.compile(r"error=(\d{3})\b")
_ASSET = AppriseAsset(
    app_id="agentops", app_desc="agentops", app_url="", storage_mode="memory", http_redirects=False, plugin_paths=[]
)


def deliver(claimed: Claimed) -> Outcome:
    """Say it there. Apprise tells whether it went well, and no more than that."""
    try:
        page = read(claimed.context)
        url = credentials.of(claimed).secret
        place = opened(url)
        _check_addresses(url, place)
    except (credentials.Missing, ValueError, Closed) as error:
        return Outcome(is_sent=False, detail=f"Not sent: {error}.", is_final=True)
    except OSError:
        return Outcome(is_sent=False, detail="Its name could not be resolved.")
    capture: Any = apprise.LogCapture
    with capture(level=apprise.logging.WARNING, fmt="%(message)s") as said:
        is_sent = bool(place.notify(**written(page)))
        words = said.getvalue()
    if is_sent:
        return Outcome(is_sent=True)
    found = _STATUS.search(words)
    status = int(found[1]) if found else None
    detail = f"It answered with the status {status}." if status else "It was not taken."
    return Outcome(is_sent=False, status=status, detail=detail)


def opened(url: str) -> Any:
    """Apprise's plugin for a URL. Raises ValueError with words for one that is not written to."""
    url = url.strip()
    schema = _schema(url)
    if "?" in url or not (schema in {**VENDORS, **OUR_SERVERS} or url.startswith(_NATIVE)):
        raise ValueError(f"it is not {EXPECTED}")
    plugin = _plugin(schema, url)
    if plugin is None or not 1 <= len(plugin) <= _PLACES_MOST:
        raise ValueError(f"it names no place to write to, or more than {_PLACES_MOST}: expected is {EXPECTED}")
    if schema == "workflows" and not str(plugin.host).lower().endswith(_TEAMS):
        raise ValueError("its host is none of Microsoft's")
    if schema in OUR_SERVERS and not _is_trusted(plugin):
        raise ValueError("its host is not among AGENTOPS_WEBHOOK_ALLOWED_HOSTS")
    plugin.socket_connect_timeout, plugin.socket_read_timeout = _CONNECT_SECONDS, _READ_SECONDS
    return plugin


def _plugin(schema: str, url: str) -> Any:
    """The listed classes themselves: Apprise's own door would import all of its hundred and seventy."""
    for kind in _CLASSES:
        known = {*_texts(kind.protocol), *_texts(kind.secure_protocol)}
        said = kind.parse_url(url) if schema in known else kind.parse_native_url(url) if schema == "https" else None
        if said:
            try:
                return kind(**{**said, "asset": _ASSET})
            except (TypeError, ValueError):  # its way to say that a part of the URL is missing
                return None
    return None


def _texts(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def host_of(url: str) -> str:
    """What may be shown of it: the service, and the host where it names one. Raises ValueError."""
    plugin, schema = opened(url), _schema(url)
    if _names_host(schema):
        return f"{({**VENDORS, **OUR_SERVERS})[schema]}, {plugin.host}"
    return VENDORS.get(schema) or str(plugin.service_name)


def written(page: Page) -> dict[str, Any]:
    """Title, text and mark. Names of agents are customers' words: nobody is called by them."""
    is_over = page.action == "resolve"
    lines = [*(f"{name}: {value}" for name, value in page.details.items())] if not is_over else []
    lines += [f"{each['text']}: {each['href']}" for each in page.links]
    return {
        "title": harmless(f"Over: {page.summary}" if is_over else page.summary)[:200],
        "body": harmless("\n".join(lines) or page.summary),
        "notify_type": NotifyType.SUCCESS if is_over else _MARKS[page.severity],
        "body_format": NotifyFormat.TEXT,
    }


def harmless(text: str) -> str:
    """Without what a chat reads as a call to everybody (`@everyone`, `<!channel>`)."""
    return text.replace("@", "@\u200b").replace("<", "‹").replace(">", "›")


def _schema(url: str) -> str:
    return url.strip().partition("://")[0].lower()


def _names_host(schema: str) -> bool:
    return schema in OUR_SERVERS or schema == "workflows"


def _check_addresses(url: str, plugin: Any) -> None:
    """Raises Closed, OSError. Of the other services, the host is one of their own in Apprise's source."""
    if _names_host(_schema(url)):
        resolve(str(plugin.host), int(plugin.port or 443), is_trusted=_is_trusted(plugin))


def _is_trusted(plugin: Any) -> bool:
    port = plugin.port or (443 if plugin.secure else 80)
    return bool({str(plugin.host), f"{plugin.host}:{port}"} & set(settings.WEBHOOK_ALLOWED_HOSTS))
