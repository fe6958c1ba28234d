"""What waits gets one place, in order, under a signature that leads back to every leaf."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, connection

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import canonical, keys, notes, services
from audit.errors import KeyMissing, TreeDiffers
from audit.models import Entry, SigningKey
from tests.audit.logs import Log, naive_root
from tests.world import World


@pytest.fixture
def log(world: World) -> Log:
    """Acme's, with what the world wrote already in its place."""
    found = Log(world.acme)
    found.seal()
    return found


def test_what_waits_gets_the_next_places_in_the_order_of_its_time(log: Log) -> None:
    before, at = log.head().tree_size, clock.now()
    later = log.write(3, at=at)
    earlier = log.write(2, at=at - timedelta(seconds=1))
    sealed = log.seal()
    assert sealed is not None and (sealed.count, sealed.tree_size) == (5, before + 5)
    placed = log.leaves()[before:]
    assert [leaf.entry_id for leaf in placed] == [*earlier, *later]
    assert [leaf.leaf_index for leaf in placed] == list(range(before, before + 5))
    assert log.pending() == []


def test_an_entry_of_an_earlier_time_that_comes_late_is_in_the_next_batch(log: Log) -> None:
    at = clock.now()
    first = log.write(1, at=at)
    log.seal()
    late = log.write(1, at=at - timedelta(minutes=1))
    log.seal()
    assert [leaf.entry_id for leaf in log.leaves()[-2:]] == [*first, *late]


def test_each_leaf_is_the_hash_of_its_entry(log: Log) -> None:
    log.write(3)
    log.seal()
    with tenant_scope(log.id):
        names = [field.attname for field in Entry._meta.concrete_fields]
        rows = Entry.objects.filter(tenant_id=log.id).values_list(*canonical.COLUMNS)
        assert set(canonical.COLUMNS) == set(names)
        by_id = {row[1]: canonical.row_of(row) for row in rows}
    assert len(by_id) == len(log.leaves()) > 3
    for leaf in log.leaves():
        assert bytes(leaf.leaf_hash) == canonical.leaf_hash(canonical.envelope(by_id[leaf.entry_id]))


def test_every_batch_has_a_checkpoint_whose_root_is_that_of_its_leaves(log: Log) -> None:
    for count in (1, 2, 7, 300):
        log.write(count)
        log.seal()
    key = keys.get(log.head().key_id)
    checkpoints = log.checkpoints()
    assert len(checkpoints) == 5
    for checkpoint in checkpoints:
        said = notes.read(checkpoint.note)
        assert notes.is_signed_by(checkpoint.note, key)
        assert said.origin == f"{settings.AUDIT_ORIGIN}/{log.id}"
        assert said.size == checkpoint.tree_size
        assert said.root == bytes(checkpoint.root) == log.root(checkpoint.tree_size)


def test_roots_of_256_leaves_are_kept_as_they_fill(log: Log) -> None:
    log.write(600)
    log.seal(most=100)
    assert log.nodes() == {}
    while log.seal(most=100):
        pass
    size = log.head().tree_size
    assert size > 600
    hashes = log.hashes()
    assert set(log.nodes()) == {(8, position) for position in range(size // 256)}
    for (_, position), kept in log.nodes().items():
        assert kept == naive_root(hashes[position * 256 : (position + 1) * 256])


def test_where_nothing_waits_nothing_is_signed(log: Log) -> None:
    before = len(log.checkpoints())
    assert log.seal() is None
    assert len(log.checkpoints()) == before


def test_a_batch_takes_so_many_and_the_rest_waits(log: Log) -> None:
    written = log.write(10)
    sealed = log.seal(most=4)
    assert sealed is not None and sealed.count == 4
    assert log.pending() == written[4:]
    assert services.seal_all(tenant=log.id, at=clock.now()) == 6


def test_organisations_have_trees_of_their_own(log: Log, world: World) -> None:
    other = Log(world.globex)
    log.write(3)
    written = other.write(2)
    other.seal()
    assert [leaf.entry_id for leaf in other.leaves()[-2:]] == written
    assert len(log.pending()) == 3
    assert str(other.id) in other.checkpoints()[-1].note


def test_the_public_half_of_the_key_is_there_as_soon_as_a_checkpoint_is(log: Log) -> None:
    published = SigningKey.objects.get(key_id=log.head().key_id)
    assert bytes(published.public_key) == keys.get(published.key_id).public


def test_an_entry_that_waits_twice_gets_one_place_and_is_found(log: Log) -> None:
    [written] = log.write(1)
    log.seal()
    before = log.head().tree_size
    again = log.write(2)
    second = "INSERT INTO audit_pending VALUES (%s, %s, %s, %s)"
    for wanted, minutes in ((written, 1), (again[0], 1), (again[0], 2)):
        at = clock.now() + timedelta(minutes=minutes)
        with tenant_scope(log.id), connection.cursor() as cursor:
            cursor.execute(second, [log.id, at, wanted, b"x" * 32])
    sealed = log.seal()
    assert sealed is not None and sealed.count == 2
    assert [leaf.entry_id for leaf in log.leaves()[before:]] == again
    assert log.pending() == []
    [finding] = log.findings()
    assert finding.kind == "second_places" and finding.detail.startswith("3 ")


def test_a_hash_of_another_length_cannot_wait(log: Log) -> None:
    for wrong in (b"", b"x" * 31, b"x" * 64):
        with pytest.raises(DatabaseError), tenant_scope(log.id), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO audit_pending VALUES (%s, %s, %s, %s)", [log.id, clock.now(), uuid.uuid4(), wrong]
            )


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("the head is set back", "UPDATE audit_head SET tree_size = tree_size - 1 WHERE tenant_id = %s"),
        ("the frontier is another", "UPDATE audit_head SET frontier = sha256(frontier) WHERE tenant_id = %s"),
        ("the head begins anew", "UPDATE audit_head SET tree_size = 0, frontier = '' WHERE tenant_id = %s"),
        ("the head is gone", "DELETE FROM audit_head WHERE tenant_id = %s"),
        ("checkpoints are gone", "DELETE FROM audit_checkpoint WHERE tenant_id = %s"),
        (
            "the checkpoint is another",
            "UPDATE audit_checkpoint SET note = replace(note, '/', '+') WHERE tenant_id = %s",
        ),
        ("the checkpoint is no note", "UPDATE audit_checkpoint SET note = 'sound' WHERE tenant_id = %s"),
        (
            "a leaf stands in the next place",
            "INSERT INTO audit_leaf SELECT tenant_id, tree_size, gen_random_uuid(), now(), sha256('x') FROM audit_head "
            "WHERE tenant_id = %s",
        ),
    ],
)
def test_a_tree_that_is_not_the_signed_one_is_not_signed(log: Log, what: str, statement: str) -> None:
    written = log.write(1)
    before = len(log.checkpoints())
    assert log.execute(statement, log.id)
    with pytest.raises(TreeDiffers):
        log.seal()
    assert log.pending() == written
    assert len(log.checkpoints()) <= before
    assert [finding.kind for finding in log.findings()] == ["unsealable"], what


def test_head_and_checkpoint_changed_together_are_not_signed(log: Log, world: World) -> None:
    """The head of another organisation is signed by us, too, but not for this one."""
    other = Log(world.globex)
    other.seal()
    log.write(1)
    log.execute("DELETE FROM audit_checkpoint WHERE tenant_id = %s", log.id)
    for table, names in (
        ("audit_checkpoint", "tree_size, root, sealed_at, key_id, note"),
        ("audit_head", "tree_size, frontier, key_id, pruned_below"),
    ):
        log.execute(f"DELETE FROM {table} WHERE tenant_id = %s", log.id)
        log.execute(
            f"INSERT INTO {table} (tenant_id, {names}) SELECT %s, {names} FROM {table} WHERE tenant_id = %s",
            log.id,
            other.id,
        )
    with pytest.raises(TreeDiffers, match="not signed by us for this tenant"):
        log.seal()


def test_a_log_keeps_the_name_of_its_first_checkpoint(log: Log, settings: pytest.FixtureRequest) -> None:
    before = notes.read(log.checkpoints()[0].note).origin
    settings.AUDIT_ORIGIN = "moved.example"  # type: ignore[attr-defined]
    log.write(1)
    log.seal()
    assert notes.read(log.checkpoints()[-1].note).origin == before


def test_without_its_key_nothing_is_sealed_and_nothing_lost(
    log: Log, settings: pytest.FixtureRequest, tmp_path: Path
) -> None:
    written = log.write(2)
    there, settings.AUDIT_KEY_DIR = settings.AUDIT_KEY_DIR, str(tmp_path)  # type: ignore[attr-defined]
    with pytest.raises(KeyMissing):
        log.seal()
    assert log.pending() == written
    assert [finding.kind for finding in log.findings()] == ["unsealable"]
    settings.AUDIT_KEY_DIR = there  # type: ignore[attr-defined]
    assert log.seal() is not None
