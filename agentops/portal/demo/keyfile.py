"""The API keys of the demo's agents, kept where only our user reads them: their text exists nowhere else."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agentops import env


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """`keys[slug][scope]` is the text of a key. `begun_at` is when the demo's story began: releases hang on it."""

    begun_at: datetime
    keys: dict[str, dict[str, str]]


def path() -> Path:
    return env.data_dir() / "secrets" / "demo_keys.json"


def read() -> DemoKeys | None:
    """The stored keys; None where there are none, and where the file is damaged, because then they are lost too."""
    try:
        content: dict[str, Any] = json.loads(path().read_text())
        return DemoKeys(begun_at=datetime.fromisoformat(content["begun_at"]), keys=content["keys"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write(found: DemoKeys) -> None:
    """Replace the file in one step; it is never readable by others, not even while it is written."""
    target = path()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix="demo_keys.", dir=target.parent)  # made with mode 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump({"begun_at": found.begun_at.isoformat(), "keys": found.keys}, file, indent=1)
        file.write("\n")
    Path(draft).replace(target)
