"""Whoever changes the log in the database, as the owner of its tables, is found, and what they did is named."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command

from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.common.scope import tenant_scope
from audit import checking, keys, notes, services, tree
from audit.models import Entry
from audit.notes import TreeHead
from audit.types import Actor, Outcome, Target
from audit.verifier import Report
from tests.audit.acting import STEPS, act, digest, erase
from tests.audit.logs import Log
from tests.world import World


@pytest.fixture
def log(world: World) -> Log:
    """Acme's, in three batches, with a full block of 256 leaves, large data, and something that waits."""
    found = Log(world.acme)
    found.seal()
    with tenant_scope(found.id):
        services.record(
            tenant=found.id, action="tenant.settings_changed", actor=Actor("user", "user:7", "ada@acme.example"),
            target=Target("tenant", "acme"), outcome=Outcome.SUCCESS, data={"changes": "x" * 20_000}, at=clock.now(),
        )  # fmt: skip
    found.write(290)
    act(found)
    found.seal()
    found.write(20)
    found.seal()
    found.write(2)
    return found


def check(log: Log, held: list[str] | None = None) -> Report:
    return checking.check(tenant=log.id, held=held or [])


def kinds(report: Report) -> set[str]:
    return {found.kind for found in report.findings}


def only(report: Report, kind: str) -> list[int | None]:
    assert kinds(report) == {kind}, report.findings
    return [found.leaf for found in report.findings]


def entry_at(log: Log, leaf: int) -> uuid.UUID:
    return log.leaves()[leaf].entry_id


def test_an_untouched_log_is_sound(log: Log) -> None:
    report = check(log, held=[one.note for one in log.checkpoints()])
    assert report.findings == []
    assert report.counts["entries"] == report.tree_size == log.head().tree_size
    assert report.counts["blobs"] == 1 and report.counts["sensitive_actions"] == 1
    assert report.counts["held_checkpoints"] == report.counts["checkpoints"] == 3


def test_nothing_sealed_is_nothing_to_check(world: World) -> None:
    with pytest.raises(NotFound):
        checking.check(tenant=world.acme.id)


# -- entries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "outcome = 2", "actor_id = 'agent:other'", "action = 'ingest.replayed'", "data = '{\"count\":8}'", "nonce = ''",
        "occurred_at = occurred_at + interval '1 us'", "recorded_at = recorded_at + interval '1 us'", "run_id = id",
        "category = 1", "target_id = 'another'", "reason = 'said later'", "commitments = '{\"reason\":\"00\"}'",
        "auth_method = 'session'", "schema_version = 1", "actor_label = 'other'",
    ],
)  # fmt: skip
def test_an_edited_entry_is_found_at_its_leaf(log: Log, change: str) -> None:
    assert log.execute(f"UPDATE audit_entry SET {change} WHERE id = %s", entry_at(log, 100)) == 1
    assert only(check(log), "edited") == [100]


def test_an_edited_entry_with_its_leaf_made_right_is_found_in_its_block(log: Log) -> None:
    entry = entry_at(log, 100)
    log.execute("UPDATE audit_entry SET outcome = 2 WHERE id = %s", entry)
    log.execute("UPDATE audit_leaf SET leaf_hash = sha256('other') WHERE entry_id = %s", entry)
    assert 100 in only(check(log), "edited")


def test_an_entry_and_all_of_the_tree_made_right_is_found_by_what_was_signed(log: Log) -> None:
    _rewrite(log)
    report = check(log)
    assert only(report, "edited") == [log.checkpoints()[0].tree_size]


def _rewrite(log: Log) -> None:
    """Change an entry and make leaves, nodes and the head right: all that whoever owns the tables can do."""
    from audit import canonical
    from audit.queries import ranges

    entry = entry_at(log, 100)
    log.execute("UPDATE audit_entry SET outcome = 2 WHERE id = %s", entry)
    [placed] = ranges.placed(tenant=log.id, first=100, end=101, using="owner")
    assert placed.row is not None
    leaf = canonical.leaf_hash(canonical.envelope(placed.row))
    log.execute("UPDATE audit_leaf SET leaf_hash = %s WHERE entry_id = %s", leaf, entry)
    frontier, _, nodes = tree.append([], 0, log.hashes())
    for level, position, found in nodes:
        log.execute("UPDATE audit_node SET hash = %s WHERE level = %s AND position = %s", found, level, position)
    log.execute("UPDATE audit_head SET frontier = %s WHERE tenant_id = %s", b"".join(frontier), log.id)


def test_a_history_rewritten_with_the_stolen_key_is_a_fork_to_every_checkpoint_that_remains(log: Log) -> None:
    held = [one.note for one in log.checkpoints()]
    _rewrite(log)
    last = log.checkpoints()[-1]
    said = notes.read(last.note)
    root = log.root()
    forged = notes.signed(TreeHead(said.origin, said.size, root), keys.newest())
    log.execute("UPDATE audit_checkpoint SET note = %s, root = %s WHERE tree_size = %s", forged, root, said.size)
    assert only(check(log), "fork") == [None]
    log.execute("DELETE FROM audit_checkpoint WHERE tree_size < %s AND tenant_id = %s", said.size, log.id)
    assert check(log).is_sound, "whoever has the key and all checkpoints is found only by what is elsewhere"
    for note in held[1:]:
        assert only(check(log, [note]), "fork") == [None]


def test_a_dropped_entry_is_found(log: Log) -> None:
    log.execute("DELETE FROM audit_entry WHERE id = %s", entry_at(log, 40))
    assert only(check(log), "dropped") == [40]


def test_a_dropped_entry_is_found_with_its_leaf(log: Log) -> None:
    entry = entry_at(log, 40)
    log.execute("DELETE FROM audit_entry WHERE id = %s", entry)
    log.execute("DELETE FROM audit_leaf WHERE entry_id = %s", entry)
    assert only(check(log), "dropped") == [40]


def test_a_dropped_entry_is_found_although_the_others_moved_up(log: Log) -> None:
    entry = entry_at(log, 40)
    log.execute("DELETE FROM audit_entry WHERE id = %s", entry)
    log.execute("DELETE FROM audit_leaf WHERE entry_id = %s", entry)
    log.execute("UPDATE audit_leaf SET leaf_index = -leaf_index WHERE leaf_index > 40 AND tenant_id = %s", log.id)
    log.execute("UPDATE audit_leaf SET leaf_index = -leaf_index - 1 WHERE leaf_index < 0 AND tenant_id = %s", log.id)
    assert only(check(log), "dropped") == [log.checkpoints()[0].tree_size]


def test_pretending_that_it_was_pruned_is_found(log: Log) -> None:
    log.execute("DELETE FROM audit_entry WHERE id = ANY(%s)", [entry_at(log, leaf) for leaf in range(30)])
    log.execute("UPDATE audit_head SET pruned_below = 30 WHERE tenant_id = %s", log.id)
    assert only(check(log), "dropped") == [0]


def test_an_entry_that_came_past_the_writer_is_found(log: Log) -> None:
    log.execute(
        "INSERT INTO audit_entry SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).* "
        "FROM audit_entry e WHERE id = %s",
        entry_at(log, 40),
    )
    assert only(check(log), "inserted") == [None]


def test_a_leaf_behind_the_signed_ones_is_found(log: Log) -> None:
    entry = log.pending()[0]
    log.execute("DELETE FROM audit_pending WHERE entry_id = %s", entry)
    log.execute(
        "INSERT INTO audit_leaf (tenant_id, leaf_index, entry_id, recorded_at, leaf_hash) "
        "SELECT tenant_id, %s, id, recorded_at, sha256('') FROM audit_entry WHERE id = %s",
        log.head().tree_size,
        entry,
    )
    assert only(check(log), "inserted") == [log.head().tree_size]


def test_entries_in_another_order_are_found(log: Log) -> None:
    size = log.head().tree_size
    for old, new in ((size - 3, -1), (size - 4, size - 3), (-1, size - 4)):
        log.execute("UPDATE audit_leaf SET leaf_index = %s WHERE leaf_index = %s AND tenant_id = %s", new, old, log.id)
    assert len(only(check(log), "reordered")) == 1


def test_an_entry_that_was_changed_or_taken_while_it_waited_is_found(log: Log) -> None:
    waiting = log.pending()
    log.execute("UPDATE audit_entry SET outcome = 2 WHERE id = %s", waiting[0])
    assert only(check(log), "edited") == [None]
    log.execute("DELETE FROM audit_entry WHERE id = %s", waiting[0])
    assert only(check(log), "dropped") == [None]
    log.execute("DELETE FROM audit_pending WHERE entry_id = %s", waiting[0])
    assert check(log).is_sound, "the unsealed window is the limit: what a manifest counts is found later"


def test_an_entry_of_a_run_that_was_taken_before_it_was_sealed_is_missed_by_the_runs_manifest(log: Log) -> None:
    run = uuid.uuid4()
    with tenant_scope(log.id):
        for action, data in (
            ("run.started", {"agent_version": "1", "parent": "", "key": "", "policy_version": "1"}),
            (
                "tool.called",
                dict.fromkeys(("call", "outcome", "external_system", "external_id", "idempotency_key"), "x"),
            ),
            ("run.ended", {"status": "ok", "code": ""}),
        ):
            services.record(
                tenant=log.id, action=action, actor=Actor("agent", "agent:desk", "desk"), target=Target("run", run.hex),
                outcome=Outcome.SUCCESS, data=data, at=clock.now(), run=run,
            )  # fmt: skip
    log.seal(at=clock.now() - timedelta(minutes=5))
    with tenant_scope(log.id):
        assert services.write_manifests(tenant=log.id, at=clock.now())[0] == 1
    log.seal()
    report = check(log)
    assert report.is_sound and report.counts["run_manifests"] == 1
    taken = Entry.objects.using("owner").get(tenant_id=log.id, action="tool.called", run_id=run)
    manifest = Entry.objects.using("owner").get(tenant_id=log.id, action="run.manifest", run_id=run)
    assert manifest.told()["entries"] == 3
    _unwrite(log, taken)
    assert only(check(log), "dropped") == [log.head().tree_size - 1], "at the manifest"


def _unwrite(log: Log, taken: Entry) -> None:
    """Make the tree of a log as if an entry had never been sealed, with a signature of the real key."""
    entries = [leaf for leaf in log.leaves() if leaf.entry_id != taken.id]
    log.execute("DELETE FROM audit_entry WHERE id = %s", taken.id)
    for table in ("leaf", "node", "checkpoint", "head"):
        log.execute(f"DELETE FROM audit_{table} WHERE tenant_id = %s", log.id)
    for leaf in entries:
        log.execute(
            "INSERT INTO audit_pending (tenant_id, recorded_at, entry_id, leaf_hash) VALUES (%s, %s, %s, %s)",
            log.id, leaf.recorded_at, leaf.entry_id, bytes(leaf.leaf_hash),
        )  # fmt: skip
    log.seal()


# -- heads, checkpoints, other organisations --------------------------------------------------------------------------


def test_a_cut_off_end_is_found(log: Log) -> None:
    held, first = log.checkpoints()[-1].note, log.checkpoints()[1]
    size = first.tree_size
    gone = [leaf.entry_id for leaf in log.leaves()[size:]]
    log.execute("DELETE FROM audit_entry WHERE id = ANY(%s)", gone)
    log.execute("DELETE FROM audit_leaf WHERE leaf_index >= %s AND tenant_id = %s", size, log.id)
    assert "truncated" in kinds(check(log))
    frontier, _, _ = tree.append([], 0, log.hashes())
    log.execute(
        "UPDATE audit_head SET tree_size = %s, frontier = %s WHERE tenant_id = %s", size, b"".join(frontier), log.id
    )
    assert "truncated" in kinds(check(log))
    log.execute("DELETE FROM audit_checkpoint WHERE tree_size > %s AND tenant_id = %s", size, log.id)
    assert check(log).is_sound, "without the checkpoints that said so, only one from elsewhere can"
    assert kinds(check(log, [held])) == {"old_checkpoint", "truncated"}


def test_a_last_checkpoint_that_was_taken_away_is_found(log: Log) -> None:
    log.execute("DELETE FROM audit_checkpoint WHERE tree_size = %s AND tenant_id = %s", log.head().tree_size, log.id)
    assert "old_checkpoint" in kinds(check(log))


def test_a_checkpoint_of_another_key_is_found(log: Log, tmp_path_factory: pytest.TempPathFactory) -> None:
    stranger = keys.make(name=keys.newest().name, at=clock.now(), where=tmp_path_factory.mktemp("keys"))
    for one in log.checkpoints():
        forged = notes.signed(notes.read(one.note), stranger)
        log.execute("UPDATE audit_checkpoint SET note = %s WHERE tree_size = %s AND tenant_id = %s",
                    forged, one.tree_size, log.id)  # fmt: skip
        log.execute(
            "INSERT INTO audit_signingkey (key_id, name, public_key, created_at) VALUES (%s, %s, %s, now()) "
            "ON CONFLICT DO NOTHING",
            stranger.id, stranger.name, stranger.public,
        )  # fmt: skip
        assert kinds(check(log)) == {"unknown_key"}, "a key that only the table names is not believed"


def test_a_checkpoint_with_a_wrong_signature_is_found(log: Log) -> None:
    log.execute(
        "UPDATE audit_checkpoint SET note = replace(note, tree_size::text, (tree_size - 1)::text) WHERE tree_size = %s "
        "AND tenant_id = %s",
        log.checkpoints()[0].tree_size,
        log.id,
    )
    assert "bad_signature" in kinds(check(log))


def test_a_root_or_head_that_is_not_the_notes_is_found(log: Log) -> None:
    log.execute("UPDATE audit_checkpoint SET root = sha256('') WHERE tenant_id = %s AND tree_size < 100", log.id)
    assert only(check(log), "bad_signature") == [None]


def test_a_frontier_that_is_not_that_of_the_leaves_is_found(log: Log) -> None:
    log.execute("UPDATE audit_head SET frontier = sha256('') WHERE tenant_id = %s", log.id)
    assert only(check(log), "edited") == [None]


def test_an_entry_that_was_moved_to_another_organisation_is_found_in_both(log: Log, world: World) -> None:
    other = Log(world.globex)
    other.seal()
    log.execute("UPDATE audit_entry SET tenant_id = %s WHERE id = %s", other.id, entry_at(log, 40))
    assert kinds(check(log)) == {"dropped", "swapped_tenant"}
    assert only(check(other), "swapped_tenant") == [None]


def test_a_tree_that_was_swapped_for_another_organisations_is_found(log: Log, world: World) -> None:
    other = Log(world.globex)
    other.seal()
    for table in ("entry", "leaf", "node", "checkpoint", "head", "pending", "blob"):
        log.execute(f"DELETE FROM audit_{table} WHERE tenant_id = %s", log.id)
        log.execute(f"UPDATE audit_{table} SET tenant_id = %s WHERE tenant_id = %s", log.id, other.id)
    assert "swapped_tenant" in kinds(check(log))


# -- what stands beside entries ---------------------------------------------------------------------------------------


def test_a_changed_personal_value_or_salt_is_found(log: Log) -> None:
    leaf, entry = next(
        (leaf.leaf_index, leaf.entry_id) for leaf in log.leaves()
        if Entry.objects.using("owner").get(tenant_id=log.id, id=leaf.entry_id).action == "tenant.settings_changed"
    )  # fmt: skip
    log.execute("UPDATE audit_entry SET actor_label = 'eve@acme.example' WHERE id = %s", entry)
    assert only(check(log), "private_edited") == [leaf]
    log.execute("UPDATE audit_entry SET actor_label = '', private = '{}' WHERE id = %s", entry)
    assert only(check(log), "erasure_unlisted") == [leaf]
    log.execute(
        "INSERT INTO audit_erasedfields (tenant_id, erasure_id, entry_id, names) VALUES (%s, %s, %s, 'actor_label')",
        log.id, uuid.uuid4(), entry,
    )  # fmt: skip
    assert only(check(log), "erasure_unlisted") == [leaf], "a list that no entry of the log commits to"


def test_an_erasure_that_two_agreed_to_is_sound_and_counted(log: Log) -> None:
    erase(log, "u-1")
    report = check(log)
    assert report.findings == []
    assert report.counts["erased_values"] == 4
    log.execute("UPDATE audit_erasedfields SET names = names || ',reason' WHERE tenant_id = %s", log.id)
    assert kinds(check(log)) == {"erasure_unlisted"}
    log.execute(
        "UPDATE audit_entry SET on_behalf_of_id = 'u-2' WHERE tenant_id = %s AND on_behalf_of_id = '' "
        "AND commitments LIKE '%%on_behalf_of_id%%'",
        log.id,
    )
    assert kinds(check(log)) == {"erasure_unlisted", "private_edited"}, "a name in the place of the one that was erased"


def test_pruning_as_the_log_says_is_sound(log: Log) -> None:
    before, size = clock.now(), log.head().tree_size
    log.seal()
    assert services.prune(tenant=log.id, before=before, at=clock.now()) >= size
    log.seal()
    report = check(log)
    assert report.findings == [] and report.counts["pruned"] >= size
    log.write(3)
    log.seal()
    log.execute("DELETE FROM audit_entry WHERE id = %s", entry_at(log, log.head().tree_size - 1))
    assert only(check(log), "dropped") == [log.head().tree_size - 1]


def test_changed_or_missing_large_data_is_found(log: Log) -> None:
    log.execute("UPDATE audit_blob SET content = overlay(content placing 'y' from 100) WHERE tenant_id = %s", log.id)
    assert len(only(check(log), "blob_edited")) == 1
    log.execute("DELETE FROM audit_blob WHERE tenant_id = %s", log.id)
    assert len(only(check(log), "blob_edited")) == 1


@pytest.mark.parametrize(
    ("steps", "changes", "sentence"),
    [
        (STEPS, {"approval.confirmed": {"action_digest": digest("another")}}, "not one and the same"),
        (STEPS, {"tool_call.redeemed": {"action_digest": digest("another")}}, "not one and the same"),
        (STEPS, {"approval.executed": {"action_digest": digest("another")}}, "not one and the same"),
        (STEPS, {"tool_call.redeemed": {"args_digest": digest("another")}}, "the arguments differ"),
        (STEPS, {"approval.executed": {"executed_digest": digest("another")}}, "the arguments differ"),
        ((STEPS[0], *STEPS[2:]), {}, "nobody approved"),
        ((*STEPS[:2], STEPS[3]), {}, "not permitted"),
        ((*STEPS, *STEPS[2:]), {}, "was permitted twice"),
    ],
)
def test_what_was_shown_approved_permitted_and_executed_must_be_one(
    log: Log, steps: tuple[str, ...], changes: dict[str, dict[str, str]], sentence: str
) -> None:
    """The log is as it was written: it is what happened that does not fit together."""
    act(log, steps=steps, changes=changes)
    log.seal()
    report = check(log)
    assert kinds(report) == {"mismatch"}
    assert sentence in report.findings[0].detail


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_found_and_opens_a_finding_until_it_is_sound(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("audit", "check", "acme", "--json")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["is_sound"] is True
    log.execute("UPDATE audit_entry SET outcome = 2 WHERE id = %s", entry_at(log, 100))
    with pytest.raises(SystemExit):
        call_command("audit", "check", "acme")
    assert "edited at leaf 100" in capsys.readouterr().out
    [found] = log.findings(kind="check_failed", ended_at=None)
    assert "edited" in found.detail
    log.execute("UPDATE audit_entry SET outcome = 1 WHERE id = %s", entry_at(log, 100))
    call_command("audit", "check", "acme")
    assert log.findings(kind="check_failed", ended_at=None) == []
