"""What every page's frame shows: navigation by kind of person, search, and who is looking.

The registry below names every entry there will ever be by its URL name. An entry appears once its URL exists and the
person may pass that URL's door (`tenants.access.Door`), so a later issue adds a URL and nothing here.
Nothing here reads the database: a page renders inside its own scope, or with no database at all.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, Resolver404, get_urlconf, resolve, reverse

from tenants.access import Access, Door, StaffAccess
from tenants.roles import Permission

THEMES = ("light", "dark")
STAFF_TENANT = re.compile(r"^/staff/t/[^/]+/(?=.)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the side bar: its word, its icon (heroicons, outline) and the URL name it leads to."""

    word: str
    icon: str
    url_name: str
    also: tuple[str, ...] = ()  # other pages that belong to it, by URL name


CONFIRMATION = ("confirmation", "confirmation-refuse", "confirmation-edit", "confirmation-receipt")
QUALITY = (
    "quality-compare", "drift", "drift-finding", "review-queue", "review-item", "judges", "judge", "rubric", "judgements",
    "eval-sets", "eval-set", "eval-case", "eval-case-new", "suite-runs", "suite-run", "replay", "gates", "gate",
    "quality-signals",
)  # fmt: skip
TENANT_ENTRIES = (
    Entry("Overview", "home", "tenant-home"),
    Entry("Inbox", "inbox", "inbox", also=CONFIRMATION),
    Entry("My usage", "chart-bar", "usage-own"),
    Entry("Standing approvals", "clipboard-document-check", "standing-approvals"),
    Entry("History", "clock", "history"),
    Entry("Runs", "queue-list", "runs", also=("saved-searches", "saved-search")),
    Entry("Decisions", "scale", "decisions"),
    Entry("Approvals", "hand-raised", "approvals", also=CONFIRMATION),
    Entry("Audit log", "clipboard-document-list", "audit-log"),
    Entry("Budgets", "banknotes", "budgets"),
    Entry(
        "Agents",
        "cpu-chip",
        "agents",
        also=("tools", "tools-audit", "tool", "tool-review", "tool-audit", "caps", "caps-change", "stored-answers"),
    ),
    Entry("Kill switches", "power", "kill-switches"),
    Entry("Quality", "check-badge", "quality", also=QUALITY),
    Entry("Ingest health", "signal", "ingest-health"),
    Entry("Deliveries", "paper-airplane", "deliveries", also=("delivery", "delivery-secret")),
    Entry("Prices", "currency-dollar", "prices"),
    Entry("Members", "users", "members"),
    Entry("Keys", "key", "keys"),
    Entry("Settings", "cog-6-tooth", "tenant-settings"),
)
STAFF_ENTRIES = (
    Entry("Operations", "squares-2x2", "staff-home"),
    Entry("Alerts", "bell-alert", "staff-alerts"),
    Entry("Incidents", "fire", "staff-incidents"),
    Entry(
        "Review queue",
        "inbox-stack",
        "staff-review",
        also=("staff-tenant-review-queue", "staff-tenant-review-item"),
    ),
    Entry("Runs", "queue-list", "staff-runs"),
    Entry("Quality", "check-badge", "staff-quality"),
    Entry("Spend", "banknotes", "staff-spend"),
    Entry("Tools to review", "wrench-screwdriver", "staff-tools"),
    Entry("Kill switches", "power", "staff-kill-switches"),
    Entry("On-call", "phone", "staff-on-call"),
    Entry("Runbooks", "book-open", "staff-runbooks"),
    Entry("Cadences", "calendar-days", "staff-cadences"),
    Entry("Ingest health", "signal", "staff-ingest"),
    Entry("Tenants", "building-office-2", "staff-tenants", also=("staff-tenant",)),
    Entry("Style guide", "swatch", "styleguide"),
)
OWN_ENTRIES = (
    Entry("Organisations", "building-office", "home"),
    Entry("Password", "lock-closed", "account_change_password"),
    Entry("Security", "finger-print", "mfa_index"),
)
DEBUG_ONLY = {"styleguide"}
HOME = "tenant-home"


@dataclass(frozen=True, slots=True)
class Link:
    """An entry that this person may follow from here."""

    word: str
    icon: str
    url: str
    is_current: bool


class Frame:
    """The frame of one page, worked out only as far as the page shows it."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.access: Access | None = getattr(request, "access", None)
        self.staff: StaffAccess | None = getattr(request, "staff", None)

    @property
    def theme(self) -> str:
        """The person's own choice (a cookie that agentops.js sets), or nothing for the system's."""
        chosen = self.request.COOKIES.get("theme", "")
        return chosen if chosen in THEMES else ""

    @property
    def environment(self) -> str:
        """Which installation this is, where it is not the real one."""
        return getattr(settings, "ENVIRONMENT", "") or ("development" if settings.DEBUG else "")

    @property
    def tenant(self) -> Any:
        return self.access.tenant if self.access else None

    @cached_property
    def organisations(self) -> list[Link]:
        """The person's organisations, where the door left them on the request; the frame may not read them itself."""
        return [
            Link(tenant.name, "building-office", _tenant_url(tenant.slug), self.tenant == tenant)
            for tenant, _ in getattr(self.request, "memberships", ())
        ]

    @property
    def home_url(self) -> str:
        """The first page of this kind of person."""
        return self.links[0].url if self.links else reverse("home")

    @cached_property
    def links(self) -> list[Link]:
        """The side bar of this kind of person; on pages about the person alone, their own entries."""
        if self.staff:
            return self._linked(STAFF_ENTRIES, {}, self.staff)
        if self.access:
            return self._linked(TENANT_ENTRIES, {"slug": self.access.tenant.slug}, self.access)
        return self._linked(OWN_ENTRIES, {}, None)

    @cached_property
    def search_url(self) -> str:
        """The list of runs, which answers the search box; nothing for people who may not read runs."""
        if self.staff and self.access:  # staff look inside one tenant
            return _reversed("staff-tenant-runs", slug=self.access.tenant.slug) or self._url_of("Runs")
        return self._url_of("Runs") if self.staff or self.access else ""

    @property
    def tenants_url(self) -> str:
        """Where staff choose a tenant."""
        return self._url_of("Tenants") if self.staff else ""

    def _url_of(self, word: str) -> str:
        return next((link.url for link in self.links if link.word == word), "")

    def _linked(
        self, entries: tuple[Entry, ...], kwargs: dict[str, str], who: Access | StaffAccess | None
    ) -> list[Link]:
        urls = list(_allowed(entries, kwargs, who))
        here = self.request.resolver_match and self.request.resolver_match.url_name
        current = next((url for entry, url in urls if here in entry.also), "") or self._current([u for _, u in urls])
        return [Link(*_word(entry, who), url, url == current) for entry, url in urls]

    def _current(self, urls: list[str]) -> str:
        """The entry this page belongs to: the longest that begins its path. Staff's page of one tenant belongs to that of all."""
        path = STAFF_TENANT.sub("/staff/", self.request.path)
        return max((url for url in urls if path == url or (url != "/" and path.startswith(url))), key=len, default="")


def _allowed(
    entries: tuple[Entry, ...], kwargs: dict[str, str], who: Access | StaffAccess | None
) -> Iterator[tuple[Entry, str]]:
    has_inbox = _door("inbox", tuple(kwargs), get_urlconf() or settings.ROOT_URLCONF) is not None
    for entry in entries:
        if entry.url_name in DEBUG_ONLY and not settings.DEBUG:
            continue
        door = _door(entry.url_name, tuple(kwargs), get_urlconf() or settings.ROOT_URLCONF)
        if door is None or (door.needs and not (who and who.may(door.needs))):
            continue
        if entry.url_name == HOME and has_inbox and who and not who.may(Permission.RUNS_READ):
            continue  # their home is the inbox, which has an entry of its own
        yield entry, reverse(entry.url_name, kwargs=kwargs)


def _word(entry: Entry, who: Access | StaffAccess | None) -> tuple[str, str]:
    """Word and icon. The home of people who read no runs is what waits for them."""
    if entry.url_name == HOME and who and not who.may(Permission.RUNS_READ):
        return "Inbox", "inbox"
    return entry.word, entry.icon


def _tenant_url(slug: str) -> str:
    return _reversed("tenant-home", slug=slug) or reverse("home")


def _reversed(url_name: str, **kwargs: str) -> str:
    try:
        return reverse(url_name, kwargs=kwargs)
    except NoReverseMatch:
        return ""


@functools.lru_cache(maxsize=1024)
def _door(url_name: str, kwargs: tuple[str, ...], urlconf: str) -> Door | None:
    """The door of a URL; None where there is no such URL yet. Pages of allauth have no door and are open to the signed-in."""
    try:
        match = resolve(reverse(url_name, urlconf, kwargs=dict.fromkeys(kwargs, "any")), urlconf)
    except (NoReverseMatch, Resolver404):
        return None
    return getattr(match.func, "door", Door("own", None))


def may_open(request: HttpRequest, url: str) -> bool:
    """May this person pass the door of an address?"""
    try:
        door = getattr(resolve(url).func, "door", None)
    except Resolver404:
        return False
    who: Access | StaffAccess | None = getattr(request, "staff", None) or getattr(request, "access", None)
    return door is None or not door.needs or bool(who and who.may(door.needs))


def frame(request: HttpRequest) -> dict[str, Any]:
    return {"frame": Frame(request)}
