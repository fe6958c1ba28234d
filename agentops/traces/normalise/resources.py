"""What follows from a resource and scope alone, worked out once for all their spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentops.traces.normalise.credentials import is_credential
from agentops.traces.normalise.values import FIELD_LIMIT, fitted, is_large, text
from agentops.traces.otlp.types import Resource

_VERSIONS = ("service.version", "vcs.ref.head.revision", "vcs.repository.ref.revision")
_ENVIRONMENTS = ("deployment.environment.name", "deployment.environment")
# Instrumentations that speak another dialect's attributes than their own name says, or gen_ai.* only.
_SCOPES = (
    ("pydantic-ai", "logfire"),
    ("logfire", "logfire"),
    ("langfuse", "langfuse"),
    ("openinference.", "openinference"),
    ("traceloop.", "openllmetry"),
)


@dataclass(slots=True, frozen=True)
class ResourceFacts:
    """Canonical values of a resource. `attributes` is shared between spans and never mutated."""

    service: str
    service_name: str  # "" where the SDK made it up ("unknown_service…")
    environment: str
    version: str
    scope: str
    dialect: str  # "" where the scope says nothing
    attributes: dict[str, Any]


def facts_of(resource: Resource) -> ResourceFacts:
    """The facts of a resource, cached on it."""
    facts = resource.derived
    if facts is None:
        facts = resource.derived = _facts(resource)
    return facts  # type: ignore[no-any-return]


def _facts(resource: Resource) -> ResourceFacts:
    attributes = {key: value for key, value in resource.attributes.items() if not is_credential(key)}
    if is_large(attributes):
        attributes = fitted({key: value for key, value in attributes.items() if not is_large(value)})
    get = attributes.get
    name = text(get("service.name"))
    namespace = text(get("service.namespace"))
    project = text(get("openinference.project.name"))
    scope_name = resource.scope_name[:FIELD_LIMIT]
    return ResourceFacts(
        service=project or (f"{namespace}/{name}"[:512] if namespace and name else name),
        service_name="" if name.startswith("unknown_service") else name,
        environment=next((text(get(key)) for key in _ENVIRONMENTS if get(key)), ""),
        version=next((text(get(key)) for key in _VERSIONS if get(key)), ""),
        scope=f"{scope_name} {resource.scope_version}".strip()[:512],
        dialect=next((dialect for prefix, dialect in _SCOPES if scope_name.startswith(prefix)), ""),
        attributes=attributes,
    )
