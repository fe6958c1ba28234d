"""The one form in which agents, tools, grants, caps and rules are written down: YAML or JSON, read strictly."""

from agentops.catalog.manifest.document import MAX_BYTES, load_json, load_yaml
from agentops.catalog.manifest.forms import AgentForm, Manifest, ToolForm
from agentops.catalog.manifest.reading import read
from agentops.catalog.manifest.writing import write

__all__ = ["MAX_BYTES", "AgentForm", "Manifest", "ToolForm", "load_json", "load_yaml", "read", "write"]
