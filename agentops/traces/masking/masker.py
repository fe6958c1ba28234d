"""Masking of text, JSON values and whole spans."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from typing import Any, Literal

from agentops.traces.masking import rules
from agentops.traces.masking.hints import AT, DIGITS, DOTS, NAMES, SECRETS, hints
from agentops.traces.masking.keys import USER_KEYS, maskable
from agentops.traces.masking.work import IN_KEYS, Work
from agentops.traces.types import Span

Policy = Literal["off", "mask", "hash"]

_CONTENT = ("arguments", "result", "input", "output", "documents")
_NOTHING = (None,) * 6
_MAX_SHARED = 64
_MAX_NAMES = 4096


class Masker:
    """Replaces personal data and secrets by `[masked:email]` or, with policy `hash`, by `[hash:email:3f2a91c0b7de]`.

    The hash is an HMAC-SHA256 under `salt` (per tenant), so that equal values can be told equal and nothing else can
    be told. `enabled` are names of `RULES`; national phone numbers are read as `region`'s. With `pseudonymise_users`
    the user id becomes a keyed pseudonym as well. One masker serves one tenant and is safe to keep.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        salt: bytes,
        enabled: Collection[str] = rules.DEFAULT_RULES,
        pseudonymise_users: bool = False,
        region: str = "US",
    ) -> None:
        unknown = set(enabled) - set(rules.RULES)
        if unknown:
            raise ValueError(f"unknown masking rules: {', '.join(sorted(unknown))}")
        if policy not in ("off", "mask", "hash"):
            raise ValueError(f"unknown masking policy: {policy}")
        self.policy = policy
        self.enabled = frozenset(enabled)
        self.pseudonymise_users = pseudonymise_users
        self.region = region
        self._salt = salt
        numbers = self.enabled & {"card", "iban", "ssn", "phone"}
        self._wanted = (
            (AT if "email" in self.enabled else 0)
            | (DIGITS if numbers else 0)
            | (SECRETS if "secret" in self.enabled else 0)
            | (DOTS if "ipv4" in self.enabled else 0)
        )
        self._resource: tuple[dict[str, Any], dict[str, Any]] | None = None
        self._shared: dict[int, tuple[Any, Any, int]] = {}
        self._names: dict[str, tuple[str, int]] = {}

    def mask_span(self, span: Span) -> None:
        """Mask a span in place and count the replacements in `span.masked`.

        Content values are replaced, never mutated: they may be shared between spans.
        """
        if self.pseudonymise_users and span.user_id:
            self._pseudonymise(span)
        if self.policy == "off" or not self._wanted:
            return
        work = self._work()
        span.name = self._name(span.name, work)
        if span.error_type:
            span.error_type = self._name(span.error_type, work)
        if span.tool_definitions is not None:
            span.tool_definitions = self._shared_value(span.tool_definitions, work)
        if span.system_instructions is not None:
            span.system_instructions = self._shared_value(span.system_instructions, work)
        attributes = span.attributes
        names, has_secret, has_data = maskable(tuple(attributes))
        content = (span.arguments, span.result, span.input, span.output, span.documents, span.status_message or None)
        found = 0
        if names or content != _NOTHING:
            found = hints((content, [attributes[name] for name in names]), self._wanted)
        if has_secret:
            found |= NAMES & self._wanted
        if has_data:
            found |= IN_KEYS & self._wanted
        if found:
            self._mask_content(span, work, found)
            in_attributes = self._attribute_hints(attributes)
            if in_attributes:
                span.attributes = self._attributes(attributes, work, in_attributes)
        if span.events:
            self._mask_parts(span.events, work)
        if span.links:
            self._mask_parts(span.links, work)
        self._mask_resource(span)
        span.masked += work.count

    def mask_value(self, value: Any) -> Any:
        """Any JSON value masked (a dead letter, a log body); the same object where there was nothing to mask."""
        if self.policy == "off":
            return value
        found = hints(value, self._wanted)
        return self._work().value(value, found) if found else value

    def mask_text(self, text: str) -> str:
        """Plain text masked."""
        return str(self.mask_value(text))

    def pseudonym(self, user_id: str) -> str:
        """The keyed pseudonym of a user id; also for looking one up."""
        return f"user-{self._digest('user', user_id, 24)}"

    def replacement(self, rule: str, value: str) -> str:
        """What stands in the place of a value found by `rule`."""
        if self.policy == "hash":
            return f"[hash:{rule}:{self._digest(rule, value, 12)}]"
        return f"[masked:{rule}]"

    def _digest(self, rule: str, value: str, length: int) -> str:
        message = f"{rule}\0{value}".encode("utf-8", "replace")
        return hmac.new(self._salt, message, hashlib.sha256).hexdigest()[:length]

    def _pseudonymise(self, span: Span) -> None:
        raw = span.user_id
        span.user_id = self.pseudonym(raw)
        named = [key for key in span.attributes if key in USER_KEYS]
        if named:
            span.attributes = {
                key: self.pseudonym(str(value)) if key in USER_KEYS else value for key, value in span.attributes.items()
            }

    def _work(self) -> Work:
        return Work(self.replacement, self.enabled, self.region)

    def _mask_content(self, span: Span, work: Work, found: int) -> None:
        for name in _CONTENT:
            value = getattr(span, name)
            if value is not None:
                setattr(span, name, work.value(value, found))
        if span.status_message:
            span.status_message = work.text(span.status_message, found)

    def _mask_parts(self, parts: list[dict[str, Any]], work: Work) -> None:
        """Names and attributes of events and links."""
        for position, item in enumerate(parts):
            called = item.get("name")
            if called and (new := self._name(called, work)) is not called:
                item = parts[position] = {**item, "name": new}
            attributes = item.get("attributes")
            if attributes and (found := self._attribute_hints(attributes)):
                parts[position] = {**item, "attributes": self._attributes(attributes, work, found)}

    def _name(self, name: str, work: Work) -> str:
        """Names of spans, events and errors come again and again: each is looked at once."""
        known = self._names.get(name)
        if known is None:
            found, own = hints(name, self._wanted), self._work()
            known = (own.text(name, found) if found else name), own.count
            if len(self._names) >= _MAX_NAMES:
                self._names.clear()
            self._names[name] = known
        work.count += known[1]
        return known[0] if known[1] else name

    def _shared_value(self, value: Any, work: Work) -> Any:
        """System prompts and tool lists are one object for many spans: masked once per object."""
        known = self._shared.get(id(value))
        if known is None:
            before = work.count
            found = hints(value, self._wanted)
            masked = work.value(value, found) if found else value
            if len(self._shared) >= _MAX_SHARED:
                self._shared.clear()
            self._shared[id(value)] = value, masked, work.count - before  # holding `value` keeps its id its own
            return masked
        work.count += known[2]
        return known[1]

    def _attribute_hints(self, attributes: Mapping[str, Any]) -> int:
        names, has_secret, has_data = maskable(tuple(attributes))
        found = hints([attributes[name] for name in names], self._wanted) if names else 0
        return found | ((NAMES if has_secret else 0) | (IN_KEYS if has_data else 0)) & self._wanted

    def _attributes(self, attributes: Mapping[str, Any], work: Work, found: int) -> dict[str, Any]:
        masked = dict(attributes)
        shape = maskable(tuple(attributes))
        for name in shape.names:
            masked[name] = work.entry(name, attributes[name], found, 0, 0)
        return work.keys(masked, found) if shape.has_data else masked

    def _mask_resource(self, span: Span) -> None:
        """A resource is shared by thousands of spans: masked once, and the masked one shared."""
        last = self._resource
        if last is None or last[0] is not span.resource:
            if not span.resource:
                return
            found = self._attribute_hints(span.resource)
            masked = self._attributes(span.resource, self._work(), found) if found else span.resource
            last = self._resource = (span.resource, masked)
        span.resource = last[1]
