"""What raises the tier of a call that is asked for now."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from agentops.catalog.cache import Bounded
from agentops.confirmations.policies import raises
from agentops.confirmations.policies.raises import Paying

_TOOLS_MOST = 5_000
_names_media: Bounded[uuid.UUID, tuple[bool]] = Bounded(_TOOLS_MOST)


def raised(
    *,
    tool_version: uuid.UUID,
    schema: Mapping[str, Any],
    arguments: Any,
    is_tainted: bool,
    paying: Paying | None,
    threshold: Decimal,
) -> list[str]:
    """Why a call takes one tier more than its tool says; no statement. What a tool version says of media is kept here."""
    kept = _names_media.get(tool_version)
    if kept is None:
        kept = (raises.names_media_types(schema),)
        _names_media.put(tool_version, kept)
    return raises.reasons(
        arguments=arguments,
        schema=schema,
        names_media=kept[0],
        is_tainted=is_tainted,
        paying=paying,
        threshold=threshold,
    )
