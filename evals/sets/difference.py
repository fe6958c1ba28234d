"""What changed between two revisions of a set, and between two runs of a suite. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SetDifference:
    """Keys of cases, sorted."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    same: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A case whose status is another; "" where it was not run. `is_edited`: the case itself says something else."""

    key: str
    before: str
    after: str
    is_edited: bool = False


def of_sets(before: Mapping[str, str], after: Mapping[str, str]) -> SetDifference:
    """Of two sets of cases, digest by key."""
    common = before.keys() & after.keys()
    changed = sorted(key for key in common if before[key] != after[key])
    return SetDifference(
        added=sorted(after.keys() - before.keys()),
        removed=sorted(before.keys() - after.keys()),
        changed=changed,
        same=len(common) - len(changed),
    )


def of_statuses(before: Mapping[str, tuple[str, str]], after: Mapping[str, tuple[str, str]]) -> list[StatusChange]:
    """Of two suite runs, (status, digest) by key; those that differ in status, by key."""
    found = []
    for key in sorted(before.keys() | after.keys()):
        (old, was), (new, now) = before.get(key, ("", "")), after.get(key, ("", ""))
        if old != new:
            found.append(StatusChange(key, old, new, is_edited=bool(was and now and was != now)))
    return found
