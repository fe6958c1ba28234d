"""Short ways to write a tool's JSON schema."""

from __future__ import annotations

from agentops.portal.demo.steps import Json, Tool


def tool(name: str, description: str, /, *, optional: tuple[str, ...] = (), **properties: Json) -> Tool:
    """A tool whose parameters are these properties, required but for the `optional` ones."""
    schema = {
        "type": "object",
        "properties": properties,
        "required": [key for key in properties if key not in optional],
        "additionalProperties": False,
    }
    return Tool(name, description, schema)


def text(description: str, **more: Json) -> Json:
    return {"type": "string", "description": description, **more}


def number(description: str, **more: Json) -> Json:
    return {"type": "number", "description": description, **more}


def choice(description: str, *values: str) -> Json:
    return {"type": "string", "description": description, "enum": list(values)}


def texts(description: str) -> Json:
    return {"type": "array", "description": description, "items": {"type": "string"}}
