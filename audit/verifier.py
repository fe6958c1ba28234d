#!/usr/bin/env python3
"""Check an export of the agentops audit log, anywhere, without agentops.

    python verifier.py BUNDLE --keys keys.json [--checkpoint note.txt ...] [--origin LOG]

BUNDLE is a directory or a .zip. This file is all it takes: Python 3.10 or later, and `cryptography` for Ed25519.
The keys come from you, never from the bundle: save https://PORTAL/.well-known/agentops-audit-keys.json before you need it.
A checkpoint that you were sent earlier, or that a witness keeps, shows whether history was rewritten since.

How it works. Each entry is a leaf of the log's tree (RFC 9162, section 2.1): SHA-256(0x00 ‖ the bytes of the entry as they
stand in the file). Two subtrees make a node, SHA-256(0x01 ‖ left ‖ right), and so on up to one root, which the log signs
together with its size and its name: a checkpoint (C2SP tlog-checkpoint, signed-note). Whoever changes, drops, adds or
reorders entries gets another root, and cannot sign it. A value that is about a person stands beside the entry; in the entry
there is its commitment, SHA-256(0x02 ‖ salt ‖ name ‖ 0x00 ‖ value), so it can be erased and the rest still be checked.

A bundle of a time is all of it: the leaf before its first was recorded before that time, the one behind its last after it.

What is not proven: that what was never recorded did not happen; what entries that are not sealed yet say; and, of a bundle
that was filtered, that no other entry fits the filter. `proves` in the result says which of the two a bundle is.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import gzip
import hashlib
import json
import os
import re
import sys
import zipfile
import zlib
from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from json.encoder import encode_basestring
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "agentops-audit-bundle/1"
KINDS = {
    "edited": "an entry is not the one that was sealed",
    "dropped": "an entry that was sealed is missing",
    "inserted": "there is an entry that was never sealed, or one twice",
    "reordered": "entries stand in another order than the sealed one",
    "truncated": "the end of the log was cut off",
    "swapped_tenant": "something belongs to another organisation's log",
    "old_checkpoint": "the checkpoint is older than what it should cover",
    "fork": "two histories were signed",
    "unknown_key": "a signature is by a key that you do not trust",
    "bad_signature": "a signature is wrong",
    "private_edited": "a personal value is not the one that was committed to",
    "blob_edited": "large data is not what its entry says",
    "file_changed": "a file is not the one that the bundle was made with",
    "erasure_unlisted": "a personal value is missing, and no erasure in the log says so",
    "mismatch": "what was shown, approved, permitted and executed differ",
    "unproven": "something cannot be checked with what is here",
}
_COUNTED = (
    "entries", "pruned", "erased_values", "blobs", "checkpoints", "held_checkpoints", "sensitive_actions", "run_manifests",
)  # fmt: skip
MAX_FINDINGS = 1_000  # kept; the rest is counted
WAITING_LINES = 100_000  # how many lines ahead of its place one may stand and still be called reordered
BLOCK = 256  # leaves under a node of level 8, as in C2SP's tlog-tiles
HASH = 32
_LEAF, _NODE, _COMMITMENT = b"\x00", b"\x01", b"\x02"
_EMPTY_ROOT = hashlib.sha256(b"").digest()
_UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, KeyError)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: one of KINDS, the leaf where it shows (if it is one), and a sentence."""

    kind: str
    leaf: int | None
    detail: str


@dataclass
class Report:
    """What a verification found. It is sound where nothing was found."""

    proves: str = ""
    origin: str = ""
    tree_size: int = 0
    root: str = ""
    first_leaf: int = 0
    since: str = ""
    until: str = ""
    is_cut: bool = False
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))
    findings: list[Finding] = field(default_factory=list)
    more_findings: int = 0

    @property
    def is_sound(self) -> bool:
        return not self.findings

    def find(self, kind: str, leaf: int | None, detail: str) -> None:
        found = Finding(kind, leaf, detail)
        if len(self.findings) >= MAX_FINDINGS:
            self.more_findings += 1
        elif found not in self.findings[-5:]:
            self.findings.append(found)

    def as_json(self) -> dict[str, Any]:
        return {"is_sound": self.is_sound, **asdict(self)}


class NotABundle(Exception):
    """There is nothing here that can be checked."""


# -- what is checked --------------------------------------------------------------------------------------------------


@dataclass
class Claims:
    """What a bundle says of itself. Nothing of it is believed before the signed root agrees."""

    tenant: str
    first_leaf: int
    leaf_count: int
    tree_size: int
    note: str
    proves: str = "complete"
    before: list[bytes] = field(default_factory=list)
    after: list[bytes] = field(default_factory=list)
    nodes_first: int = 0
    nodes: Sequence[bytes] = ()
    checkpoints: Iterable[str] = ()  # ascending
    consistency: Mapping[int, list[bytes]] = field(default_factory=dict)
    lines_note: str = ""  # of a filtered bundle: the checkpoint that the proofs of its lines lead to
    since: str = ""  # the time that was asked for, from here; empty: from the first entry on
    until: str = ""  # to before here; empty: to the last
    is_cut: bool = False  # does it end early, before what one of two people said?


@dataclass
class Part:
    """What one file of lines came to: for each line its number and the hash that it states, and what is wrong."""

    first: int = -1
    numbers: array[int] = field(default_factory=lambda: array("q"))
    hashes: bytearray = field(default_factory=bytearray)
    findings: list[tuple[str, int | None, str]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    blobs: list[tuple[int, str, str, str]] = field(default_factory=list)  # leaf, entry, nonce, SHA-256
    erased: list[tuple[int, str, tuple[str, ...]]] = field(default_factory=list)  # leaf, entry, names
    descents: list[int] = field(default_factory=list)  # leaves that were recorded before the one in front of them
    runs: dict[str, list[str]] = field(default_factory=dict)  # run: the ids of its entries, in their order
    started: set[str] = field(default_factory=set)  # runs that began here
    pruned: int = 0
    gone: list[list[int]] = field(default_factory=list)  # [first, last] leaves without their entries
    entries: int = 0


# An entry that others are joined with: leaf, id, action, target, run, data.
Told = tuple[int, str, str, str, str, dict[str, Any]]


def check(
    claims: Claims,
    *,
    keys: Iterable[bytes],
    parts: Iterable[Part],
    held: Iterable[str] = (),
    blobs: Iterable[tuple[str, bytes]] = (),
    support: Iterable[bytes] = (),
    beside: Iterable[bytes] = (),
    erasures: Iterable[tuple[str, str, str]] = (),
    origin: str = "",
    report: Report | None = None,
) -> Report:
    """Check claims against lines that were read (`read_lines`), and both against what was signed.

    `keys` are raw public keys (32 bytes each) that the caller trusts; `held` are checkpoints that the caller has from
    elsewhere; `blobs` are (entry id, content) in the order of the leaves; `support` are lines of entries from elsewhere in
    the tree with their proofs (rotations of keys, erasures, prunings), `beside` those of the leaf before the range and of the one
    behind it; `erasures` are (erasure, entry id, names).
    """
    return _Check(claims, keys, held, origin, report or Report()).run(parts, blobs, support, beside, erasures)


class _Check:
    def __init__(self, claims: Claims, keys: Iterable[bytes], held: Iterable[str], origin: str, report: Report) -> None:
        self.claims, self.report = claims, report
        self.trust = _Trust(keys)
        self.end = claims.first_leaf + claims.leaf_count
        self.final = self._read_note(claims.note, "the checkpoint of the bundle")
        self.held = [note for text in held if (note := self._read_note(text, "a checkpoint that you hold"))]
        self.authority = _Authority()
        is_whole = claims.proves == "complete" and claims.first_leaf == 0
        self.joined = _Joined(report, is_complete=claims.proves == "complete", is_whole=is_whole)
        self.runs = _Runs(report, is_whole=is_whole)
        self.beside: dict[int, str] = {}  # before and behind the range: when recorded; "" if pruned
        report.proves, report.first_leaf = claims.proves, claims.first_leaf
        report.since, report.until, report.is_cut = claims.since, claims.until, claims.is_cut
        if self.final:
            report.origin, report.tree_size, report.root = self.final.origin, self.final.size, self.final.root.hex()
            self._check_origin(origin)

    def run(
        self,
        parts: Iterable[Part],
        blobs: Iterable[tuple[str, bytes]],
        support: Iterable[bytes],
        beside: Iterable[bytes],
        erasures: Iterable[tuple[str, str, str]],
    ) -> Report:
        erased = _Erasures(erasures)
        self._take_support(support)
        self._take_beside(beside)
        is_whole = self.claims.proves == "complete"
        walk = _Walk(self) if is_whole else _Genuine(self)
        waiting_blobs = _Blobs(blobs, self.report)
        for part in parts:
            self._take_part(part, erased, waiting_blobs)
            walk.take(part)
        walk.finish()
        waiting_blobs.finish()
        self.joined.finish()
        self._judge_prunings()
        if isinstance(walk, _Walk) and walk.is_proven:
            self._judge_edges()
        erased.judge(self.authority, self.report)
        if self.final:
            self._judge_signature(self.final, None, "the checkpoint of the bundle")
        for note in self.held:
            self._judge_held(note, walk)
        return self.report

    def find(self, kind: str, leaf: int | None, detail: str) -> None:
        self.report.find(kind, leaf, detail)

    # notes

    def _read_note(self, text: str, what: str) -> Note | None:
        try:
            return Note.read(text)
        except ValueError as error:
            self.find("bad_signature", None, f"{what} cannot be read: {error}")
            return None

    def _check_origin(self, wanted: str) -> None:
        assert self.final
        if not self.final.origin.endswith(f"/{self.claims.tenant}"):
            self.find(
                "swapped_tenant", None, f"the checkpoint is of {self.final.origin}, the bundle of {self.claims.tenant}"
            )
        for origin in {wanted, *(note.origin for note in self.held)} - {"", self.final.origin}:
            self.find("swapped_tenant", None, f"this is the log {self.final.origin}, and you asked for {origin}")

    def _judge_signature(self, note: Note, leaf: int | None, what: str) -> bool:
        problem = self.trust.why_not(note)
        if problem:
            self.find(problem[0], leaf, f"{what} (of {note.size} leaves) {problem[1]}")
        return not problem

    def _judge_held(self, note: Note, walk: _Walk | _Genuine) -> None:
        """A checkpoint from elsewhere must be of the same history."""
        self.report.counts["held_checkpoints"] += 1
        final = self.final
        if final is None or note.origin != final.origin or not self._judge_signature(note, None, "the one you hold"):
            return
        if note.size > final.size:
            self.find(
                "old_checkpoint", None, f"you hold a checkpoint of {note.size} leaves; this one is of {final.size}"
            )
            self.find("truncated", final.size, f"leaves {final.size} to {note.size - 1} were sealed, and are not here")
        elif note.size == final.size:
            if note.root != final.root:
                self.find("fork", None, f"another root was signed for {note.size} leaves than the one you hold")
        elif (roots := walk.roots_at(note.size)) is not None:
            if note.root not in roots:
                self.find("fork", None, f"the first {note.size} leaves are not those of the checkpoint you hold")
        elif note.size in self.claims.consistency:
            proof = self.claims.consistency[note.size]
            if not is_consistent(note.size, note.root, final.size, final.root, proof):
                self.find("fork", None, f"nothing leads from the checkpoint of {note.size} leaves to this one")
        else:
            self.find(
                "unproven",
                None,
                f"the checkpoint of {note.size} leaves lies outside of this bundle: export with it, or fetch its proof",
            )

    # what else the lines say

    def _take_part(self, part: Part, erased: _Erasures, blobs: _Blobs) -> None:
        counts = self.report.counts
        counts["entries"] += part.entries
        counts["pruned"] += part.pruned
        for finding in part.findings:
            self.find(*finding)
        if part.gone:  # of what was pruned in part, not all is here to be joined
            self.runs.is_whole = self.joined.is_whole = False
        if self.claims.proves == "complete":
            self.runs.take(part)
        for told in part.told:
            self.authority.take(told)
            self.joined.take(told)
        for leaf, entry, names in part.erased:
            counts["erased_values"] += len(names)
            erased.check(leaf, entry, names, self.report)
        for blob in part.blobs:
            counts["blobs"] += 1
            blobs.check(*blob)
        self.authority.gone += part.gone
        del self.authority.gone[MAX_FINDINGS:-1]

    def _take_support(self, lines: Iterable[bytes]) -> None:
        """Entries from elsewhere in the tree: of keys, erasures and prunings. Each has a proof of its own."""
        for raw in lines:
            part = read_lines([raw], tenant=self.claims.tenant)
            line = _rest_of(raw)
            size, root = (self.final.size, self.final.root) if self.final else (0, b"")
            note = None
            if "checkpoint" in line:
                note = self._read_note(str(line["checkpoint"]), "the checkpoint under which a key was rotated")
                if note is None or not self._judge_signature(note, None, "the one under which a key was rotated"):
                    continue
                size, root = note.size, note.root
            if part.findings or len(part.numbers) != 1:
                for finding in part.findings:
                    self.find(*finding)
                continue
            leaf = part.numbers[0]
            if root_from_inclusion(bytes(part.hashes), leaf, size, _hashes(line.get("proof"))) != root:
                self.find("inserted", leaf, "an entry that others rest on is not in the tree")
                continue
            for told in part.told:
                self.authority.take(told)
                if note is not None:  # only what a trusted key has signed can make another key trusted
                    self._take_rotation(told, note)

    def _take_beside(self, lines: Iterable[bytes]) -> None:
        """The leaf before a range and the one behind it, each with its proof."""
        for raw in lines:
            part, line = read_lines([raw], tenant=self.claims.tenant), _rest_of(raw)
            for finding in part.findings:
                self.find(*finding)
            if part.findings or self.final is None:
                continue
            leaf = part.numbers[0]
            proof = _hashes(line.get("proof"))
            if root_from_inclusion(bytes(part.hashes), leaf, self.final.size, proof) != self.final.root:
                self.find("inserted", leaf, "an entry beside the range is not in the tree")
                continue
            self.beside[leaf] = str((line.get("entry") or {}).get("recorded_at", ""))

    def _take_rotation(self, told: Told, note: Note) -> None:
        """A key hands over to the next. That the entry is in the log is not enough: the key itself must have signed it,
        or whoever can write an entry could make their own key trusted; and it must have signed the checkpoint that holds
        it, or whoever found a key that was replaced could."""
        leaf, _, action, _, _, data = told
        if action != "audit.key_rotated":
            return
        try:
            public = base64.b64decode(str(data.get("public_key")), validate=True)
            signature = base64.b64decode(str(data.get("signature")), validate=True)
        except (binascii.Error, ValueError):
            public = signature = b""
        if not self.trust.rotate(self.claims.tenant, leaf, note, str(data.get("old")), public, signature):
            self.find("unknown_key", leaf, "another key is named that the one before it has not signed")

    def _judge_prunings(self) -> None:
        """What is gone must be what the log says was pruned."""
        below = self.authority.pruned_below
        for first, last in self.authority.gone:
            if last >= below:
                leaf = max(first, below)
                which = (
                    f"the entry of leaf {leaf} is" if leaf == last else f"the entries of leaves {leaf} to {last} are"
                )
                self.find("dropped", leaf, f"{which} gone, and the log says nothing of its being pruned")

    def _judge_edges(self) -> None:
        """A range whose leaves are all there may still have been made smaller than what was asked for. So the leaf before
        it must be from before that time, and the one behind it from after."""
        claims, authority, end = self.claims, self.authority, self.end
        assert self.final
        if claims.is_cut and end == claims.first_leaf:
            return
        before, behind = self.beside.get(claims.first_leaf - 1), self.beside.get(end)
        since, until = _moment(claims.since), _moment(claims.until)
        if before == "":
            is_first = claims.first_leaf <= authority.pruned_below
        else:
            is_first = before is not None and _moment(before) < since
        if claims.first_leaf and not is_first:
            self.find(
                "dropped",
                claims.first_leaf - 1,
                f"the bundle begins at leaf {claims.first_leaf}, and nothing shows that this is the first that was recorded "
                f"from {claims.since or 'the first entry'} on",
            )
        if behind == "":
            is_last = end < authority.pruned_below and bool(until) and until <= authority.pruned_before
        else:
            is_last = behind is not None and bool(until) and _moment(behind) >= until
        if end < self.final.size and not claims.is_cut and not is_last:
            self.find(
                "truncated",
                end,
                f"the bundle ends at leaf {end}, and nothing shows that no later one was recorded "
                f"before {claims.until or 'it was made'}",
            )


# -- lines ------------------------------------------------------------------------------------------------------------

# {"leaf":12,"hash":"…","entry":{…},"private":{"reason":["salt","value"]}}, or ,"pruned":true in place of the entry
_LINE = re.compile(r'\{"leaf":(0|[1-9]\d{0,17}),"hash":"([0-9a-f]{64})",')
_ENTRY = '"entry":'
_BESIDE = frozenset({"private", "proof", "checkpoint"})  # what may stand in a line with an entry
_INSTEAD = frozenset({"pruned", "proof", "checkpoint"})  # and without one
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # where a value ends, found while reading it
_text = encode_basestring  # of a text, what RFC 8785 has: only what must be escaped is
_JOINED = frozenset({"tool_call.redeemed", "audit.key_rotated", "audit.pruned", "privacy.erased", "run.manifest"})


def read_lines(lines: Iterable[bytes], *, tenant: str, root: bytes = b"", size: int = 0) -> Part:
    """Check each line by itself: its bytes against its hash, its personal values against their commitments.

    With a root, each line's own `proof` must lead there.
    """
    part = Part()
    before = ""
    for raw in lines:
        leaf, stated, entry, rest, problem = _read_line(raw)
        if leaf < 0:
            part.findings.append(("edited", None, f"a line cannot be read: {problem}"))
            continue
        if part.first < 0:
            part.first = leaf
        part.numbers.append(leaf)
        part.hashes += stated
        if root and not problem and root_from_inclusion(stated, leaf, size, _hashes(rest.get("proof"))) != root:
            part.findings.append(("inserted", leaf, "the entry is not in the tree that was signed"))
        if problem:
            part.findings.append(("edited", leaf, problem))
            continue
        if entry is None:
            part.pruned += 1
            if part.gone and part.gone[-1][1] == leaf - 1:
                part.gone[-1][1] = leaf
            else:
                part.gone.append([leaf, leaf])
            continue
        part.entries += 1
        if entry.get("tenant") != tenant:
            part.findings.append(("swapped_tenant", leaf, f"the entry is of {entry.get('tenant')}"))
            continue
        commitments, private = entry.get("commitments"), rest.get("private")
        if commitments or private:
            _check_private(part, leaf, entry, commitments or {}, private or {})
        place = f"{entry.get('recorded_at')} {entry.get('id')}"
        if place < before:
            part.descents.append(leaf)
        before = place
        _note(part, leaf, entry)
    return part


def _read_line(raw: bytes) -> tuple[int, bytes, dict[str, Any] | None, dict[str, Any], str]:
    """Leaf, stated hash, entry (None where it was pruned), what else the line has, and what is wrong with it.

    The hash is taken over the bytes of the entry as they stand here: nothing is written anew.
    """
    try:
        text = raw.decode()
        head = _LINE.match(text)
        if head is None:
            return -1, b"", None, {}, "it does not begin with a leaf and its hash"
        leaf, stated = int(head[1]), bytes.fromhex(head[2])
    except ValueError:
        return -1, b"", None, {}, "it is no text"
    start = head.end()
    if not text.startswith(_ENTRY, start):
        rest = _object("{" + text[start:])
        if rest is None or rest.get("pruned") is not True or not rest.keys() <= _INSTEAD:
            return leaf, stated, None, {}, "the line has no entry"
        return leaf, stated, None, rest, ""
    start += len(_ENTRY)
    try:
        entry, stop = _scan(text, start)
    except (ValueError, StopIteration, RecursionError):
        return leaf, stated, None, {}, "the entry is no JSON"
    # Where every letter is one byte, the entry stands at the same places of the bytes.
    stands = raw[start:stop] if len(raw) == len(text) else text[start:stop].encode()
    if hashlib.sha256(_LEAF + stands).digest() != stated:
        return leaf, stated, None, {}, "the entry is not the one that was hashed"
    end = text[stop:]
    rest = {} if end in ("}\n", "}") else _object("{" + end[1:]) if end.startswith(",") else None
    # Whoever reads the line with another program must find in it what was hashed, and nothing that takes its place.
    if rest is None or not isinstance(entry, dict) or not rest.keys() <= _BESIDE:
        return leaf, stated, None, {}, "the line cannot be read, or holds more than an entry and what belongs to it"
    return leaf, stated, entry, rest, ""


def _moment(text: str) -> str:
    """A time of the log in one form, to be compared as text; empty where it is none."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z", text)
    return f"{found[1]}.{found[2] or '':0<6}" if found else ""


def _rest_of(raw: bytes) -> dict[str, Any]:
    return _object(raw.decode(errors="replace")) or {}


def _object(text: str) -> dict[str, Any] | None:
    """An object, in which no name stands twice: readers differ on which of the two counts."""
    try:
        found, end = _scan_once_each(text, 0)
    except (ValueError, StopIteration, RecursionError):
        return None
    return found if isinstance(found, dict) and not text[end:].strip() else None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


_scan_once_each = json.JSONDecoder(object_pairs_hook=_once_each).scan_once  # type: ignore[attr-defined]


def _check_private(
    part: Part, leaf: int, entry: Mapping[str, Any], commitments: Mapping[str, str], private: Mapping[str, Any]
) -> None:
    try:
        for name, (salt, value) in private.items():
            if commitment(_unhex(salt), name, value).hex() != commitments.get(name):
                part.findings.append(("private_edited", leaf, f"{name} is not the value that was committed to"))
    except (ValueError, TypeError, AttributeError, RecursionError):
        part.findings.append(("private_edited", leaf, "a personal value cannot be read"))
        return
    if len(private) < len(commitments):
        names = tuple(sorted(name for name in commitments if name not in private))
        part.erased.append((leaf, str(entry.get("id")), names))


def _note(part: Part, leaf: int, entry: Mapping[str, Any]) -> None:
    """Keep of an entry what others are joined with."""
    action, data = str(entry.get("action")), entry.get("data")
    if not isinstance(data, dict):
        return
    blob = data.get("blob")
    if len(data) == 1 and isinstance(blob, dict):
        part.blobs.append((leaf, str(entry.get("id")), str(entry.get("nonce")), str(blob.get("sha256"))))
    run = entry.get("run")
    if run:
        part.runs.setdefault(run, []).append(str(entry.get("id")))
        if action == "run.started":
            part.started.add(run)
    if action.startswith("approval.") or action in _JOINED:
        target = str((entry.get("target") or {}).get("id", ""))
        part.told.append((leaf, str(entry.get("id")), action, target, str(run or ""), data))


def commitment(salt: bytes, name: str, value: Any) -> bytes:
    """What stands in an entry for a personal value."""
    return hashlib.sha256(_COMMITMENT + salt + name.encode() + b"\x00" + canonical(value).encode()).digest()


def canonical(value: Any) -> str:
    """RFC 8785 JSON of a value that was read from JSON."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_text(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return _number(value) if isinstance(value, float) else json.dumps(value)


def _number(value: float) -> str:
    """A number as ECMAScript writes it (ECMA-262, Number::toString): the shortest digits, which Python's repr has too."""
    sign, (mantissa, _, exponent) = "-" if value < 0 else "", repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) - (len(whole + fraction) - len(digits)) + int(exponent or 0)  # how many digits stand before it
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"


# -- the tree ---------------------------------------------------------------------------------------------------------


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


class _Stack:
    """The right edge of a tree: (level, hash) of the full subtrees that cover it, from left to right."""

    def __init__(self, parts: Iterable[tuple[int, bytes]] = ()) -> None:
        self.parts = list(parts)

    def push(self, level: int, found: bytes) -> None:
        while self.parts and self.parts[-1][0] == level:
            found = node_hash(self.parts.pop()[1], found)
            level += 1
        self.parts.append((level, found))

    def root(self) -> bytes:
        if not self.parts:
            return _EMPTY_ROOT
        root = self.parts[-1][1]
        for _, left in reversed(self.parts[:-1]):
            root = node_hash(left, root)
        return root


class _Tree:
    """The tree of the lines, block by block of 256 leaves.

    The nodes that come with a bundle are not needed for its root. Where a block is not what its node says, the tree is
    carried on with the node as well: if that leads to the signed root, then the damage is in that block and nowhere else.
    """

    def __init__(self, claims: Claims) -> None:
        self.size = claims.first_leaf
        self.nodes_first, self.nodes = claims.nodes_first, claims.nodes
        levels = [level for level in reversed(range(64)) if self.size >> level & 1]
        if len(levels) != len(claims.before):
            raise ValueError("what stands before the first leaf is not a frontier")
        parts = list(zip(levels, claims.before, strict=True))
        self.outer: _Stack | None = _Stack(part for part in parts if part[0] >= 8)
        self.mended: _Stack | None = None
        self.inner = [part for part in parts if part[0] < 8]
        self.block = bytearray()
        self.is_torn = False  # a leaf of this block is not known
        self.bad_blocks: list[int] = []
        self.windows: list[bytes] = []  # the first bad block and the two behind it, as they came

    def add(self, hashes: bytes) -> None:
        """Leaves in their order, as many as there are."""
        place = 0
        while place < len(hashes):
            room = BLOCK - self.size % BLOCK
            taken = hashes[place : place + room * HASH]
            self.block += taken
            place += len(taken)
            self.size += len(taken) // HASH
            if not self.size % BLOCK:
                self._close_block()

    def add_unknown(self, count: int) -> None:
        """Leaves that are missing. What follows can still be proven, by the node over their block."""
        if count > BLOCK * (len(self.nodes) + 2):  # more than there are nodes for: nothing behind can be proven
            self.outer, self.mended, self.inner = None, None, []
            self.block, self.is_torn = bytearray(), True
            self.size += count
            return
        while count:
            self.is_torn = True
            taken = min(count, BLOCK - self.size % BLOCK)
            self.add(bytes(taken * HASH))
            count -= taken

    def roots(self, after: Iterable[tuple[int, bytes]] = ()) -> list[bytes]:
        """What the lines lead to, and what they lead to where nodes stand for the blocks that are damaged."""
        inner = [] if self.is_torn else [self.outer, self.mended]
        found, more = [], list(after)
        for stack in inner:
            if stack is not None:
                whole = _Stack(stack.parts)
                for level, part in [*self.inner, *((0, leaf) for leaf in _split(self.block)), *more]:
                    whole.push(level, part)
                found.append(whole.root())
        return found

    def _close_block(self) -> None:
        number = self.size // BLOCK - 1
        found = self._root_of_block()
        place = number - self.nodes_first
        node = self.nodes[place] if 0 <= place < len(self.nodes) else None
        is_bad = self.is_torn or (node is not None and node != found)
        if len(self.windows) < 3 and (is_bad or self.windows):
            self.windows.append(bytes(self.block))
        if is_bad:
            if not self.bad_blocks and self.outer is not None:
                self.mended = _Stack(self.outer.parts)
            if len(self.bad_blocks) < MAX_FINDINGS:
                self.bad_blocks.append(number)
            if self.is_torn:
                self.outer = None
            if node is None:
                self.mended = None
        if self.outer is not None:
            self.outer.push(8, found)
        if self.mended is not None:
            self.mended.push(8, node if node is not None else found)
        self.inner, self.block, self.is_torn = [], bytearray(), False

    def _root_of_block(self) -> bytes:
        if not self.inner:
            return _root_of_full(self.block)
        stack = _Stack(self.inner)
        for leaf in _split(self.block):
            stack.push(0, leaf)
        return stack.root()


def _root_of_full(hashes: bytes | bytearray) -> bytes:
    """The root over a power of two of leaves."""
    sha256 = hashlib.sha256
    while len(hashes) > HASH:
        hashes = b"".join(
            [sha256(_NODE + hashes[place : place + 64]).digest() for place in range(0, len(hashes), 2 * HASH)]
        )
    return bytes(hashes)


def _split(hashes: bytes | bytearray) -> list[bytes]:
    return [bytes(hashes[place : place + HASH]) for place in range(0, len(hashes), HASH)]


def cover(begin: int, end: int) -> list[int]:
    """The levels of the fewest full subtrees that cover the leaves begin (included) to end (excluded), in order."""
    found = []
    while begin < end:
        level = (begin & -begin).bit_length() - 1 if begin else (end - begin).bit_length() - 1
        while begin + (1 << level) > end:
            level -= 1
        found.append(level)
        begin += 1 << level
    return found


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """RFC 9162, 2.1.3.2: the root that a proof leads to; empty where its length cannot be."""
    if not 0 <= index < size:
        return b""
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return b""
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    return root if last == 0 else b""


def is_consistent(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162, 2.1.4.2: is the first tree a prefix of the second?"""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _unhex(text: str) -> bytes:
    """Hexadecimal in the one form that is written: Python's own reading takes capitals and blanks for the same. ValueError."""
    found = bytes.fromhex(text)
    if found.hex() != text:
        raise ValueError("hexadecimal digits in small letters are expected")
    return found


def _hashes(texts: Any) -> list[bytes]:
    """Hexadecimal hashes; what is none becomes one that fits nowhere."""
    found = []
    for text in texts if isinstance(texts, list) else []:
        try:
            found.append(_unhex(text))
        except (ValueError, TypeError):
            found.append(b"")
    return found


# -- a range of leaves: nothing is missing ----------------------------------------------------------------------------


class _Walk:
    """All leaves of a range, in order, up to the signed root. It passes checkpoints on its way, and must agree with each."""

    def __init__(self, owner: _Check) -> None:
        self.owner, self.claims = owner, owner.claims
        try:
            self.tree = _Tree(self.claims)
        except ValueError as error:
            owner.find("file_changed", None, str(error))
            self.tree = _Tree(Claims(self.claims.tenant, 0, 0, 0, ""))
            self.tree.size = self.claims.first_leaf
            self.tree.outer = None
        self.waiting: dict[int, bytes] = {}  # leaves that came before their turn
        self.lost: list[tuple[int, int]] = []  # ranges of leaves that were given up
        self.checkpoints = self._notes()
        self.next_note = next(self.checkpoints, None)
        self.rotations: list[Told] = []
        sizes = {note.size for note in owner.held} | ({owner.final.size} if owner.final else set())
        self.watched = sorted(size for size in sizes if self.tree.size <= size <= owner.end)
        self.seen: dict[int, list[bytes]] = {}
        self.good, self.bad = self.claims.first_leaf, -1  # sizes at which a checkpoint agreed last, and first did not
        self.disputed: list[Note] = []
        self.largest = -1
        self.is_proven = False  # do the lines lead to the last checkpoint?
        self.boundaries: set[int] = set()
        self.descents: list[int] = []
        self.touch()

    def take(self, part: Part) -> None:
        self.rotations += [told for told in part.told if told[2] == "audit.key_rotated"]
        if len(self.descents) < MAX_FINDINGS:
            self.descents += part.descents
        count, first = len(part.numbers), self.tree.size
        if not count:
            return
        is_plain = part.first == first and not self.waiting and part.first + count <= self.owner.end
        if is_plain and part.numbers == array("q", range(first, first + count)):
            self._add(bytes(part.hashes))
            return
        for place, leaf in enumerate(part.numbers):
            self._place(leaf, bytes(part.hashes[place * HASH : (place + 1) * HASH]))

    def finish(self) -> None:
        while self.waiting:
            self._give_up(min(self.waiting))
        if self.tree.size < self.owner.end:
            self._note_end_missing()
        final = self.owner.final
        while self.next_note is not None:
            self._pass(self.next_note, [])
        if final is not None:
            self._judge_root(final)
        self._judge_disputed()

    def roots_at(self, size: int) -> list[bytes] | None:
        """The roots that the lines lead to at a size, if it was passed. No root means that it cannot be told."""
        return self.seen.get(size) or None

    # order

    def _place(self, leaf: int, found: bytes) -> None:
        expected = self.tree.size
        if leaf >= self.owner.end:
            self.owner.find("inserted", leaf, "the leaf lies behind the last one of the bundle")
        elif leaf < expected:
            is_late = any(first <= leaf < end for first, end in self.lost)
            kind, why = ("reordered", "stands far behind its place") if is_late else ("inserted", "is there twice")
            self.owner.find(kind, leaf, f"the leaf {why}")
        elif leaf > expected:
            if leaf in self.waiting:
                self.owner.find("inserted", leaf, "the leaf is there twice")
            self.waiting.setdefault(leaf, found)
            if len(self.waiting) > WAITING_LINES:
                self._give_up(min(self.waiting))
        else:
            if self.waiting:
                self.owner.find("reordered", leaf, "the leaf stands behind later ones")
            self._add(found)
            self._add_waiting()

    def _add_waiting(self) -> None:
        while (found := self.waiting.pop(self.tree.size, None)) is not None:
            self._add(found)

    def _give_up(self, until: int) -> None:
        """The leaves up to `until` will not come."""
        first = self.tree.size
        which = f"leaf {first} is" if until == first + 1 else f"leaves {first} to {until - 1} are"
        self.owner.find("dropped", first, f"{which} missing")
        self.lost.append((first, until))
        self._add_unknown(until - first)
        self._add_waiting()

    def _note_end_missing(self) -> None:
        """There are fewer lines than there should be. Where they disagree before their end, others are missing than the last."""
        first, end = self.tree.size, self.owner.end
        if not self._name_missing(end - first):
            lines = end - self.claims.first_leaf
            self.owner.find("truncated", first, f"the lines end at leaf {first}; there were {lines}")
        self._add_unknown(end - first)

    # checkpoints on the way

    def _notes(self) -> Iterator[Note]:
        for text in self.claims.checkpoints:
            note = self.owner._read_note(text, "a checkpoint inside the bundle")
            if note is not None:
                yield note

    def _add(self, hashes: bytes) -> None:
        place = 0
        while place < len(hashes):
            stop = self._next_stop()
            room = len(hashes) if stop is None else (stop - self.tree.size) * HASH
            taken = hashes[place : place + room]
            self.tree.add(taken)
            place += len(taken)
            self.touch()

    def _add_unknown(self, count: int) -> None:
        while count:
            stop = self._next_stop()
            taken = count if stop is None else min(count, stop - self.tree.size)
            self.tree.add_unknown(taken)
            count -= taken
            self.touch()

    def _next_stop(self) -> int | None:
        stops = [self.watched[0]] if self.watched else []
        if self.next_note is not None:
            stops.append(self.next_note.size)
        return min(stops, default=None)

    def touch(self) -> None:
        """Look at what is due at this size of the tree."""
        size, roots = self.tree.size, None
        while self.watched and self.watched[0] <= size:
            if self.watched.pop(0) == size:
                roots = self.seen[size] = self.tree.roots()
        while self.next_note is not None and self.next_note.size <= size:
            if roots is None and self.next_note.size == size:
                roots = self.tree.roots()
            self._pass(self.next_note, roots if self.next_note.size == size and roots is not None else [])

    def _pass(self, note: Note, roots: list[bytes]) -> None:
        """A checkpoint that the bundle brings, at its place in the tree."""
        self.next_note = next(self.checkpoints, None)
        self.owner.report.counts["checkpoints"] += 1
        self.largest = max(self.largest, note.size)
        self.boundaries.add(note.size)
        if len(self.boundaries) > WAITING_LINES:
            self.boundaries.clear()
        final = self.owner.final
        if final is not None and note.origin != final.origin:
            self.owner.find("swapped_tenant", None, f"a checkpoint inside is of {note.origin}")
            return
        if not self.owner._judge_signature(note, None, "a checkpoint inside"):
            return
        rotations = [told for told in self.rotations if told[0] < note.size]
        self.rotations = [told for told in self.rotations if told[0] >= note.size]
        if note.root in roots:
            self.good = note.size if self.bad < 0 else self.good
            for told in rotations:
                self.owner._take_rotation(told, note)
        elif roots:
            self.bad = note.size if self.bad < 0 else self.bad
            if len(self.disputed) < MAX_FINDINGS:
                self.disputed.append(note)

    # the root

    def _judge_root(self, final: Note) -> None:
        end = self.owner.end
        newest = max(self.claims.tree_size, self.largest)
        if newest > final.size:
            self.owner.find("old_checkpoint", None, f"the checkpoint is of {final.size} leaves, the log of {newest}")
        if end > final.size:
            self._judge_beyond(final, is_newer_known=newest > final.size)
            return
        levels = cover(end, final.size)
        if len(levels) != len(self.claims.after):
            self._judge_missing_end(final)
            return
        roots = self.tree.roots(zip(levels, self.claims.after, strict=True))
        if end == final.size:
            self.seen[end] = roots
        if final.root in roots and not self.owner.trust.why_not(final):
            for rotation in self.rotations:
                self.owner._take_rotation(rotation, final)
        self.is_proven = final.root in roots
        if not self.is_proven:
            self._name(self.bad if self.bad >= 0 else end)
        elif self.tree.outer is None or roots[0] != final.root:
            for block in self.tree.bad_blocks:  # elsewhere nodes and lines agree
                self._name_in(block * BLOCK, (block + 1) * BLOCK)
        elif self.tree.bad_blocks:
            self.owner.find("file_changed", None, "the inner nodes of the bundle are not those of the tree")

    def _judge_beyond(self, final: Note, *, is_newer_known: bool) -> None:
        """There are more leaves than the checkpoint counts."""
        if not is_newer_known:
            count = self.owner.end - final.size
            where = f"between leaf {self.good} and {self.bad}" if self.bad >= 0 else f"from leaf {self.good} on"
            self.owner.find("inserted", None, f"there are {count} more leaves than were sealed, {where}")
        elif final.root not in self.seen.get(final.size, [final.root]):
            self._name_in(self.good, final.size)

    def _judge_missing_end(self, final: Note) -> None:
        """More was sealed than is here."""
        end = self.owner.end
        if not self._name_missing(final.size - end):
            self.owner.find("truncated", end, f"leaves {end} to {final.size - 1} were sealed, and are not here")

    def _name_missing(self, count: int) -> bool:
        if self._name_shift():
            return True
        if self.bad >= 0:
            where = f"between leaf {self.good} and {self.bad}; later ones were renumbered"
            self.owner.find("dropped", self.good, f"{count} entries are missing {where}")
        return self.bad >= 0

    def _name(self, upto: int) -> None:
        """The lines do not lead to what was signed, and it is not known which of them."""
        if not self._name_shift():
            self._name_in(self.good, upto)

    def _name_shift(self) -> bool:
        shift = self._shift()
        if shift:
            kind, what = ("dropped", "are missing") if shift > 0 else ("inserted", "are too many")
            first = self.tree.bad_blocks[0] * BLOCK
            self.owner.find(kind, first, f"{abs(shift)} entries {what} behind leaf {first}; later ones were renumbered")
        return bool(shift)

    def _name_in(self, first: int, end: int) -> None:
        named = {"edited", "dropped", "inserted", "reordered", "truncated", "swapped_tenant"}
        if any(f.kind in named and f.leaf is not None and first <= f.leaf < end for f in self.owner.report.findings):
            return
        turned = [leaf for leaf in self.descents if first < leaf < end and leaf not in self.boundaries]
        if turned:
            self.owner.find(
                "reordered", turned[0], f"leaves {first} to {end - 1} are not in the order they were sealed in"
            )
        else:
            self.owner.find(
                "edited", first, f"one or more of the leaves {first} to {end - 1} are not those that were sealed"
            )

    def _shift(self) -> int:
        """By how many leaves the lines behind the first bad block are off, as a node behind it tells; 0 if none does."""
        tree = self.tree
        if len(tree.bad_blocks) < 2:
            return 0
        number = tree.bad_blocks[0] + 1
        place = number - tree.nodes_first
        node = tree.nodes[place] if 0 <= place < len(tree.nodes) else b""
        start = len(tree.windows[0]) if tree.windows else 0
        around = b"".join(tree.windows)
        for off in range(1, BLOCK):
            for shift in (off, -off):
                begin = start - shift * HASH
                block = around[begin : begin + BLOCK * HASH] if begin >= 0 else b""
                if len(block) == BLOCK * HASH and _root_of_full(block) == node:
                    return shift
        return 0

    def _judge_disputed(self) -> None:
        """Where all lines lead to the signed root, another root that was signed on the way is another history."""
        for note in self.disputed if self.is_proven else []:
            self.owner.find("fork", None, f"a checkpoint of {note.size} leaves was signed for another history")


class _Genuine:
    """Lines that were chosen by a filter: each has a proof of its own, which was checked when it was read."""

    def __init__(self, owner: _Check) -> None:
        self.owner = owner
        self.last = -1
        self.count = 0

    def take(self, part: Part) -> None:
        for leaf in part.numbers:
            if leaf == self.last:
                self.owner.find("inserted", leaf, "the leaf is there twice")
            elif leaf < self.last:
                self.owner.find("reordered", leaf, "the leaf stands behind later ones")
            self.last = max(self.last, leaf)
        self.count += len(part.numbers)

    def finish(self) -> None:
        claims, final = self.owner.claims, self.owner.final
        if self.count != claims.leaf_count:
            kind = "dropped" if self.count < claims.leaf_count else "inserted"
            self.owner.find(kind, None, f"the bundle was made with {claims.leaf_count} lines, and has {self.count}")
        note = self.owner._read_note(claims.lines_note, "the checkpoint that the proofs lead to")
        if note is None or final is None:
            return
        if note.origin != final.origin:
            self.owner.find("swapped_tenant", None, f"the proofs lead to a checkpoint of {note.origin}")
        self.owner._judge_signature(note, None, "the checkpoint that the proofs lead to")
        proof = self.owner.claims.consistency.get(note.size, [])
        if not is_consistent(note.size, note.root, final.size, final.root, proof):
            self.owner.find("fork", None, f"nothing leads from the checkpoint of {note.size} leaves to the last one")

    def roots_at(self, size: int) -> list[bytes] | None:
        return None


# -- checkpoints ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Note:
    """A signed checkpoint: whose log, how many leaves, which root (C2SP tlog-checkpoint and signed-note)."""

    origin: str
    size: int
    root: bytes
    text: str
    signatures: tuple[tuple[str, bytes], ...]

    @classmethod
    def read(cls, note: str) -> Note:
        """Raises ValueError."""
        text, gap, rest = note.rpartition("\n\n")
        lines = text.split("\n")
        if not gap or not rest.endswith("\n") or len(lines) < 3:
            raise ValueError("it is not a text of three lines, an empty line, and signatures")
        if not re.fullmatch(r"0|[1-9][0-9]{0,17}", lines[1]):
            raise ValueError("its size is no number")
        root = base64.b64decode(lines[2], validate=True)
        if len(root) != HASH or not lines[0]:
            raise ValueError("its root is no SHA-256")
        signatures = []
        for line in rest[:-1].split("\n"):
            name, _, value = line.removeprefix("— ").partition(" ")
            if not line.startswith("— ") or not name:
                raise ValueError("a signature is not well formed")
            signatures.append((name, base64.b64decode(value, validate=True)))
        return cls(lines[0], int(lines[1]), root, text + "\n", tuple(signatures))


class _Trust:
    """The keys that are trusted: those of the caller, and each that a trusted one has handed over to in the log."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self.keys: dict[bytes, Ed25519PublicKey] = {}
        self.ended: dict[str, tuple[int, int]] = {}  # key id: the leaf of its rotation, and the last size it signs
        for public in keys:
            self.keys[public] = Ed25519PublicKey.from_public_bytes(public)

    def why_not(self, note: Note) -> tuple[str, str] | None:
        """Why a checkpoint is not to be believed: the kind of the finding and the rest of its sentence; None if it is."""
        for public in self.keys:
            is_right = self._is_signed_by(note, public)
            if is_right is None:
                continue
            if not is_right:
                return "bad_signature", "is not what the key signed"
            _, last = self.ended.get(_key_id(public), (0, note.size))
            if note.size > last:
                return "unknown_key", f"is signed by a key that was replaced at {last} leaves"
            return None
        return "unknown_key", "is not signed by a key that you trust"

    def rotate(self, tenant: str, leaf: int, note: Note, old: str, public: bytes, signature: bytes) -> bool:
        """Trust the key that a trusted one has signed over to, once, in an entry that a checkpoint of that one holds."""
        by = next((known for known in self.keys if _key_id(known) == old), None)
        if by is None or len(public) != 32:
            return False
        try:
            self.keys[by].verify(signature, rotation_text(tenant, public))
        except InvalidSignature:
            return False
        known, last = self.ended.get(old, (leaf, 0))
        if known != leaf:
            return False
        if not self._is_signed_by(note, by):
            return old in self.ended and public in self.keys  # an earlier checkpoint has shown it
        self.keys.setdefault(public, Ed25519PublicKey.from_public_bytes(public))
        self.ended[old] = (leaf, max(last, note.size))
        return True

    def _is_signed_by(self, note: Note, public: bytes) -> bool | None:
        """Is the note signed by this key? None where no signature says that it is by it."""
        for name, value in note.signatures:
            if len(value) == 68 and value[:4] == _key_hash(name, public):
                try:
                    self.keys[public].verify(value[4:], note.text.encode())
                except InvalidSignature:
                    return False
                return True
        return None


def rotation_text(tenant: str, public: bytes) -> bytes:
    """What a key signs to hand over to another in one organisation's log."""
    return f"agentops audit key rotation v1\n{tenant}\n{base64.b64encode(public).decode()}\n".encode()


def _key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def _key_id(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16]


# -- what entries say of other entries --------------------------------------------------------------------------------


class _Authority:
    """What the log itself says was erased and pruned."""

    def __init__(self) -> None:
        self.erased: dict[str, str] = {}  # erasure: digest of its list
        self.pruned_below, self.pruned_before = 0, ""
        self.gone: list[list[int]] = []

    def take(self, told: Told) -> None:
        _, _, action, _, _, data = told
        if action == "privacy.erased":
            self.erased[str(data.get("erasure"))] = str(data.get("digest"))
        elif action == "audit.pruned":
            below = str(data.get("below_leaf"))
            self.pruned_below = max(self.pruned_below, int(below) if below.isdigit() else 0)
            self.pruned_before = max(self.pruned_before, _moment(str(data.get("before"))))


class _Erasures:
    """The lists of what erasures destroyed. Each must be the one whose digest stands in the log."""

    def __init__(self, rows: Iterable[tuple[str, str, str]]) -> None:
        self.names: dict[str, list[tuple[str, frozenset[str]]]] = {}
        self.lists: dict[str, list[str]] = {}
        self.used: dict[str, int] = {}
        for erasure, entry, names in rows:
            self.lists.setdefault(erasure, []).append(f"{entry}:{names}\n")
            self.names.setdefault(entry, []).append((erasure, frozenset(re.split(r"[,\s]+", names))))

    def check(self, leaf: int, entry: str, names: tuple[str, ...], report: Report) -> None:
        for name in names:
            by = [erasure for erasure, listed in self.names.get(entry, ()) if name in listed]
            if not by:
                report.find("erasure_unlisted", leaf, f"{name} is missing, and no erasure lists it")
            for erasure in by:
                self.used.setdefault(erasure, leaf)

    def judge(self, authority: _Authority, report: Report) -> None:
        for erasure, leaf in self.used.items():
            said = authority.erased.get(erasure)
            digest = hashlib.sha256("".join(sorted(self.lists[erasure])).encode()).hexdigest()
            if said is None:
                report.find("erasure_unlisted", leaf, f"the log has no entry of the erasure {erasure}")
            elif said.removeprefix("sha256:") != digest:
                report.find("erasure_unlisted", leaf, f"the list of the erasure {erasure} is not the one in the log")


class _Blobs:
    """Large data beside its entries, in the same order."""

    def __init__(self, rows: Iterable[tuple[str, bytes]], report: Report) -> None:
        self.rows, self.report = iter(rows), report
        self.next: tuple[str, bytes] | None = None

    def check(self, leaf: int, entry: str, nonce: str, digest: str) -> None:
        self.next = self.next or next(self.rows, None)
        if self.next is None or self.next[0] != entry:
            self.report.find("blob_edited", leaf, "the large data of the entry is missing")
            return
        content, self.next = self.next[1], None
        if hashlib.sha256(_unhex(nonce) + content).hexdigest() != digest:
            self.report.find("blob_edited", leaf, "the large data of the entry is not what was hashed")

    def finish(self) -> None:
        self.next = self.next or next(self.rows, None)
        if self.next is not None:
            self.report.find("blob_edited", None, f"the large data of {self.next[0]} belongs to no entry here")


_RUN_ENTRIES = 200_000  # ids that are remembered for manifests to come


class _Runs:
    """The entries of each run, against what its manifest says. The tree shows what was taken out after it was sealed; a
    manifest shows what was taken out before."""

    def __init__(self, report: Report, *, is_whole: bool) -> None:
        self.report, self.is_whole = report, is_whole
        self.open: OrderedDict[str, list[str]] = OrderedDict()
        self.partly: set[str] = set()  # runs that began before the first leaf here, or were forgotten
        self.count = 0

    def take(self, part: Part) -> None:
        for run, ids in part.runs.items():
            if run not in self.open and not self.is_whole and run not in part.started:
                self.partly.add(run)
            self.open.setdefault(run, []).extend(ids)
            self.open.move_to_end(run)
            self.count += len(ids)
        for leaf, entry, action, _, run, data in part.told:
            if action == "run.manifest":
                self._check(leaf, entry, run, data)
        while self.count > _RUN_ENTRIES and self.open:
            self._forget(next(iter(self.open)))

    def _check(self, leaf: int, entry: str, run: str, data: Mapping[str, Any]) -> None:
        ids = self.open.get(run)
        if ids is None or run in self.partly:
            return
        last = str(data.get("last_entry"))
        ids = ids[: ids.index(entry)] if entry in ids else ids
        counted = sorted(ids[: ids.index(last) + 1]) if last in ids else []
        self.report.counts["run_manifests"] += 1
        digest = hashlib.sha256("".join(f"{one}\n" for one in counted).encode()).hexdigest()
        if not counted:
            self.report.find("dropped", leaf, f"the last entry that run {run} had is missing")
        elif len(counted) != data.get("entries") or digest != data.get("digest"):
            self.report.find(
                "dropped", leaf, f"run {run} had {data.get('entries')} entries as it ended; {len(counted)} are here"
            )
        self._forget(run)

    def _forget(self, run: str) -> None:
        self.count -= len(self.open.pop(run))
        if len(self.partly) < _RUN_ENTRIES:
            self.partly.add(run)


# -- what was shown, approved, permitted, executed ----------------------------------------------------------------------

_OPEN, _KEPT = 200_000, 20_000  # sensitive actions that are remembered: those under way, and those that ended
_APPROVALS = frozenset({"approval.confirmed", "approval.stood", "approval.released"})
_ENDS = frozenset(
    f"approval.{word}"
    for word in ("executed", "failed", "outcome_unknown", "refused", "cancelled", "expired", "invalidated", "edited")
)
_NONE = (0, "", "")
_STEPS = {
    "approval.requested": "shown",
    "approval.voted": "approved",
    "approval.confirmed": "approved",
    "approval.stood": "approved",
    "approval.released": "approved",
    "tool_call.redeemed": "permitted",
    "approval.executed": "executed",
    "approval.failed": "executed",
    "approval.outcome_unknown": "executed",
}
_ONCE = frozenset(
    {"shown", "permitted", "executed"}
)  # two may approve; all else happens once, or something hides behind it


class _Joined:
    """The leaves of each sensitive action: the digest that people were shown must be the one that was approved, permitted
    and executed, and the arguments that ran those that were permitted. Entries of one moment may stand in any order, so an
    action is judged some time after it ended."""

    def __init__(self, report: Report, *, is_complete: bool, is_whole: bool) -> None:
        self.report, self.is_complete, self.is_whole = report, is_complete, is_whole
        self.open: OrderedDict[str, dict[str, tuple[int, str, str]]] = OrderedDict()
        self.ended: OrderedDict[str, dict[str, tuple[int, str, str]]] = OrderedDict()

    def take(self, told: Told) -> None:
        leaf, _, action, target, _, data = told
        of = str(data.get("confirmation", "")) if action == "tool_call.redeemed" else target
        if action not in _STEPS and action not in _ENDS:
            return
        known = self.ended.get(of) or self.open.setdefault(of, {})
        if (step := _STEPS.get(action)) in _ONCE and step in known:
            self.report.find("mismatch", leaf, f"an action was {step} twice")
        arguments = data.get("executed_digest") or data.get("args_digest") or ""
        known[action if action in _APPROVALS else _STEPS.get(action, action)] = (
            leaf,
            str(data.get("action_digest", "")),
            str(arguments),
        )
        self._compare(known, _STEPS.get(action), leaf)
        if action in _ENDS and of in self.open:
            self.ended[of] = self.open.pop(of)
            if len(self.ended) > _KEPT:
                self._judge(self.ended.popitem(last=False)[1])
        if len(self.open) > _OPEN:
            self.open.popitem(last=False)

    def finish(self) -> None:
        for known in self.ended.values():
            self._judge(known)
        for known in self.open.values():
            self._judge(known)

    def _compare(self, known: dict[str, tuple[int, str, str]], step: str | None, leaf: int) -> None:
        """Digests of the action that are there must be one."""
        digests = {digest for name, (_, digest, _) in known.items() if digest}
        if step and len(digests) > 1 and "told" not in known:
            said = ", ".join(f"{name} {digest[:12]}…" for name, (_, digest, _) in known.items() if digest)
            self.report.find("mismatch", leaf, f"the action is not one and the same: {said}")
            known["told"] = _NONE

    def _judge(self, known: dict[str, tuple[int, str, str]]) -> None:
        self.report.counts["sensitive_actions"] += 1
        permitted, executed = known.get("permitted"), known.get("executed")
        arguments = {step: known[step][2] for step in ("shown", "permitted", "executed") if known.get(step, _NONE)[2]}
        if len(set(arguments.values())) > 1:
            said = ", ".join(f"{step} {digest[:12]}…" for step, digest in arguments.items())
            self.report.find("mismatch", (executed or permitted or _NONE)[0], f"the arguments differ: {said}")
        if not self.is_complete or not ("shown" in known or self.is_whole):
            return  # a filter left steps out, or it began before the first leaf here
        if permitted and not _APPROVALS & known.keys():
            self.report.find("mismatch", permitted[0], "an action was permitted that nobody approved")
        if executed and not permitted:
            self.report.find("mismatch", executed[0], "an action was executed that was not permitted")


# -- bundles on disk --------------------------------------------------------------------------------------------------

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


def verify(
    bundle: str | Path,
    *,
    keys: Mapping[str, Any] | Iterable[bytes],
    held: Iterable[str] = (),
    origin: str = "",
    jobs: int | None = None,
) -> Report:
    """Check a bundle (directory or .zip). Raises NotABundle where there is none.

    `keys` are the JSON of /.well-known/agentops-audit-keys.json, or raw public keys of 32 bytes; `held` are texts of
    checkpoints; `jobs` is how many processes read (as many as there are cores).
    """
    report = Report()
    opened = Opened(Path(bundle))
    claims = opened.claims(report)
    with _Readers(opened, claims, report, jobs or os.cpu_count() or 1) as parts:
        return check(
            claims,
            keys=public_keys(keys) if isinstance(keys, Mapping) else keys,
            parts=parts,
            held=held,
            blobs=opened.blobs(report),
            support=opened.lines("support", report),
            beside=opened.lines("beside", report),
            erasures=opened.erasures(report),
            origin=origin,
            report=report,
        )


def public_keys(keys: Mapping[str, Any]) -> list[bytes]:
    """The keys of a keys file. Raises ValueError."""
    try:
        found = [base64.b64decode(key["public_key"], validate=True) for key in keys["keys"]]
    except (KeyError, TypeError) as error:
        raise ValueError("this is not a file of public keys") from error
    if not found or any(len(key) != 32 for key in found):
        raise ValueError("the file has no Ed25519 keys")
    return found


class Opened:
    """The files of a bundle. Names come from its manifest, so each is a plain one."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.zip = zipfile.ZipFile(place) if place.is_file() else None
        try:
            manifest = json.loads(self.read("manifest.json"))
            self.files = [item for item in manifest["files"] if _NAME.fullmatch(item["name"])]
            is_ours = manifest["format"] == FORMAT and len(self.files) == len(manifest["files"])
        except (*_UNREADABLE, ValueError, TypeError) as error:
            raise NotABundle(f"{place} holds no manifest of an audit bundle ({error})") from error
        if not is_ours:
            raise NotABundle(f"{place} is not of the format {FORMAT}")
        self.manifest: dict[str, Any] = manifest

    def open(self, name: str) -> IO[bytes]:
        return self.zip.open(name) if self.zip else (self.place / name).open("rb")

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def names(self, kind: str) -> list[dict[str, Any]]:
        return [
            item for item in self.files if item["name"].startswith(f"{kind}-") or item["name"].startswith(f"{kind}.")
        ]

    def claims(self, report: Report) -> Claims:
        """What the manifest, the checkpoint and the proofs say. The other files are read as they are needed."""
        said = self.manifest
        self._check_names(report)
        for item in self.files:
            if not item["name"].endswith(".gz"):
                self._check_digest(item, report)
        try:
            note = self.read("checkpoint.txt").decode()
        except (*_UNREADABLE, ValueError):
            note = ""
        try:
            proof = json.loads(self.read("proof.json"))
            nodes = proof["nodes"].get("8") or {"first": 0, "hashes": []}
            if not 0 <= int(said["first_leaf"]) <= int(said["first_leaf"]) + int(said["leaf_count"]) < 1 << 60:
                raise ValueError("there is no such range of leaves")
            return Claims(
                tenant=str(said["tenant"]),
                first_leaf=int(said["first_leaf"]),
                leaf_count=int(said["leaf_count"]),
                tree_size=int(said["tree_size"]),
                proves=str(said["proves"]),
                note=note,
                before=_hashes(proof["before"]),
                after=_hashes(proof["after"]),
                nodes_first=int(nodes["first"]),
                nodes=_hashes(nodes["hashes"]),
                checkpoints=[str(text) for text in proof["checkpoints"]],
                consistency={int(size): _hashes(path) for size, path in proof["consistency"].items()},
                lines_note=str(proof["lines_checkpoint"]),
                since=str(said["from"] or ""),
                until=str(said["to"] or ""),
                is_cut=said["is_cut"] is True,
            )
        except (*_UNREADABLE, ValueError, TypeError, AttributeError) as error:
            raise NotABundle(f"the proofs of {self.place} cannot be read ({error})") from error

    def lines(self, kind: str, report: Report) -> Iterator[bytes]:
        for item in self.names(kind):
            yield from self.lines_of(item, report.find)

    def lines_of(self, item: Mapping[str, Any], find: Callable[[str, int | None, str], None]) -> Iterator[bytes]:
        """The lines of one file, which is checked against its digest on the way."""
        name = item["name"]
        try:
            with self.open(name) as file:
                hashing = _Hashing(file)
                with gzip.GzipFile(fileobj=hashing) as plain:  # type: ignore[call-overload]
                    yield from plain
                while hashing.read(1 << 20):
                    pass
        except _UNREADABLE as error:
            find("file_changed", None, f"{name} cannot be read to its end ({type(error).__name__})")
            return
        if hashing.sha256.hexdigest() != item.get("sha256"):
            find("file_changed", None, f"{name} is not the file that the manifest names")

    def blobs(self, report: Report) -> Iterator[tuple[str, bytes]]:
        for raw in self.lines("blobs", report):
            line = _rest_of(raw)
            yield str(line.get("entry")), str(line.get("content")).encode("utf-8", "surrogatepass")

    def erasures(self, report: Report) -> Iterator[tuple[str, str, str]]:
        for raw in self.lines("erasures", report):
            line = _rest_of(raw)
            yield str(line.get("erasure")), str(line.get("entry")), str(line.get("names"))

    def _check_names(self, report: Report) -> None:
        """What else is in a .zip was checked by nobody, and of two files of one name programs unpack the one or the other."""
        found = Counter(self.zip.namelist() if self.zip else [])
        named = {"manifest.json", *(item["name"] for item in self.files)}
        for name in sorted(name for name, count in found.items() if name not in named or count > 1):
            what = "is there twice" if name in named else "is not a file that the manifest names"
            report.find("file_changed", None, f"{name} {what}")

    def _check_digest(self, item: Mapping[str, Any], report: Report) -> None:
        try:
            digest = hashlib.sha256(self.read(item["name"])).hexdigest()
        except _UNREADABLE:
            report.find("file_changed", None, f"{item['name']} is missing")
            return
        if digest != item.get("sha256"):
            report.find("file_changed", None, f"{item['name']} is not the file that the manifest names")


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.sha256.update(data)
        return data


class _Readers:
    """Reads the files of entries, each in one of some processes, and hands them on in order."""

    def __init__(self, opened: Opened, claims: Claims, report: Report, jobs: int) -> None:
        self.opened, self.report = opened, report
        self.items = opened.names("entries")
        note = None
        if claims.proves != "complete":
            try:
                note = Note.read(claims.lines_note)
            except ValueError:
                note = Note("", 0, b"-", "", ())
        self.aim = (claims.tenant, note.root if note else b"", note.size if note else 0)
        self.jobs = min(jobs, len(self.items))
        self.pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Iterator[Part]:
        if self.jobs > 1:
            self.pool = ProcessPoolExecutor(self.jobs)
        return self._parts()

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def _parts(self) -> Iterator[Part]:
        if self.pool is None:
            for item in self.items:
                yield _read_file(str(self.opened.place), item, *self.aim)
            return
        under_way: deque[Future[Part]] = deque()
        for item in self.items:
            under_way.append(self.pool.submit(_read_file, str(self.opened.place), item, *self.aim))
            if len(under_way) > self.jobs:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _read_file(place: str, item: dict[str, Any], tenant: str, root: bytes, size: int) -> Part:
    problems: list[tuple[str, int | None, str]] = []
    lines = Opened(Path(place)).lines_of(item, lambda *problem: problems.append(problem))
    part = read_lines(lines, tenant=tenant, root=root, size=size)
    part.findings += problems
    return part


# -- the command ------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """0: sound. 1: something was found. 2: nothing could be checked."""
    parser = argparse.ArgumentParser(prog="verifier", description="Check an export of the agentops audit log.")
    parser.add_argument("bundle", help="a directory or .zip that was exported")
    parser.add_argument("--keys", metavar="FILE", help="the public keys that you trust (JSON), not those of the bundle")
    parser.add_argument("--checkpoint", metavar="FILE", action="append", default=[], help="a checkpoint that you hold")
    parser.add_argument("--origin", default="", help="the log that it must be: the first line of its checkpoints")
    parser.add_argument("--jobs", type=int, help="how many processes read")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")
    options = parser.parse_args(arguments)
    if not options.keys:
        print("--keys is missing: a bundle cannot vouch for its own keys.", file=sys.stderr)
        return 2
    try:
        keys = public_keys(json.loads(Path(options.keys).read_text("utf-8-sig")))
        held = [kept_checkpoint(name) for name in options.checkpoint]
        report = verify(options.bundle, keys=keys, held=held, origin=options.origin, jobs=options.jobs)
    except (NotABundle, OSError, ValueError, zipfile.BadZipFile) as error:
        print(f"Nothing was checked: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report.as_json()) if options.json else in_words(report))
    return 0 if report.is_sound else 1


def kept_checkpoint(name: str | Path) -> str:
    """A checkpoint as people keep it: copied from a page or a mail, by an editor that left its last line break out, put blank
    lines around it, or a mark before it. Raises OSError and ValueError."""
    return Path(name).read_text("utf-8-sig").strip() + "\n"


def in_words(report: Report) -> str:
    """The result for people."""
    counts = report.counts
    lines = [f"log          {report.origin}", f"checkpoint   {report.tree_size} leaves, root {report.root}"]
    lines += [f"{name.replace('_', ' '):<20} {number:>12,}" for name, number in counts.items()]
    if report.findings:
        lines.append("")
        for found in report.findings:
            where = "" if found.leaf is None else f" at leaf {found.leaf}"
            lines.append(f"{found.kind}{where}: {found.detail}")
        if report.more_findings:
            lines.append(f"and {report.more_findings} more")
        lines += ["", "NOT SOUND. " + " ".join(sorted({f"[{f.kind}] {KINDS[f.kind]}." for f in report.findings}))]
        return "\n".join(lines)
    if report.proves == "complete":
        total = counts["entries"] + counts["pruned"]
        last = report.first_leaf + total - 1
        what = (
            f"complete: of {report.tree_size} leaves, {report.first_leaf} to {last} are all here, unchanged, in order."
        )
        what = what if total else "complete: no leaf is of the time that was asked for."
        what += f" Asked for: recorded from {report.since or 'the first entry'} to {report.until or 'the last'}."
        if report.is_cut:
            what += (
                f" IT ENDS EARLY, before leaf {last + 1}: there one of two people agreed to what waits for the other."
            )
    else:
        what = "genuine: each entry here is in the log, unchanged. The bundle was filtered: others may fit as well."
    return "\n".join([*lines, "", f"SOUND, {what}"])


if __name__ == "__main__":
    sys.exit(main())
