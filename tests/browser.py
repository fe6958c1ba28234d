"""Debian's Chromium for the journeys: found, or installed where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--disable-sync",
]
_PACKAGES = ["chromium", "fonts-dejavu-core"]


def why_missing() -> str | None:
    """None when Chromium is there (or could be installed just now), else the reason why journeys cannot run."""
    if CHROMIUM.exists():
        return None
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        return f"{CHROMIUM} is missing, and it is installed by itself on Debian only"
    if os.geteuid() != 0:
        return f"{CHROMIUM} is missing; as root: apt-get install {' '.join(_PACKAGES)}"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *_PACKAGES]):
        done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"apt-get {command[0]} failed: {done.stderr.strip()[-300:]}"
    return None if CHROMIUM.exists() else f"apt-get installed Chromium, but not at {CHROMIUM}"
