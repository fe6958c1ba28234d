"""Exports: what was on the screen, part by part, for spreadsheets, programs and verifiers."""

from __future__ import annotations

import csv
import gzip
import io
import json
import uuid
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import bundles, formats, queries, services, tasks, verifier
from audit.errors import NotThere, TooManyExports
from audit.models import Export, ExportPart
from audit.searching import Filters
from audit.services import exporting
from audit.services.exporting import ClaimLost
from audit.types import ExportFormat, ExportState, Outcome, Target
from tests.audit.bundling import public_keys
from tests.audit.logs import Log, entry
from tests.world import World


@pytest.fixture
def log(world: World) -> Log:
    """Acme's, with what the world wrote already in its place."""
    found = Log(world.acme)
    found.seal()
    return found


def asked(log: Log, world: World, form: str = ExportFormat.NDJSON, **params: str) -> uuid.UUID:
    with tenant_scope(log.id):
        filters = Filters.parse(params)
        return services.ask_export(tenant=log.id, form=form, filters=filters, by=world.ada.actor, at=clock.now()).id


def written(log: Log, export: uuid.UUID) -> Export:
    """After the worker has been: what it made of it."""
    log.seal()
    tasks.write_exports()
    with tenant_scope(log.id):
        return queries.export(tenant=log.id, export=export)


def files(log: Log, export: uuid.UUID) -> dict[str, bytes]:
    with tenant_scope(log.id):
        rows = ExportPart.objects.filter(tenant_id=log.id, export_id=export).order_by("number")
        return {row.name: bytes(row.content) for row in rows}


def lines(log: Log, export: uuid.UUID) -> list[dict[str, Any]]:
    found = [content for name, content in files(log, export).items() if name.startswith("entries-")]
    return [json.loads(line) for content in found for line in gzip.decompress(content).splitlines()]


def rows(log: Log, export: uuid.UUID) -> list[dict[str, str]]:
    [content] = [content for name, content in files(log, export).items() if name.startswith("entries-")]
    return list(csv.DictReader(io.StringIO(gzip.decompress(content).decode("utf-8-sig"), newline="")))


def changed_member(log: Log, world: World, member: str, reason: str = "") -> None:
    with tenant_scope(log.id):
        services.record(
            tenant=log.id,
            action="member.role_changed",
            actor=world.ada.actor,
            target=Target("member", "1"),
            outcome=Outcome.SUCCESS,
            data={"member": member, "old": "auditor", "new": "admin"},
            at=clock.now(),
            reason=reason,
        )


# -- what is in it ---------------------------------------------------------------------------------------------------


def test_an_export_holds_exactly_what_the_filters_leave_of_what_was_recorded_before_it(log: Log, world: World) -> None:
    ids = log.write(3)
    changed_member(log, world, "pete@acme.example")
    export = asked(log, world, action="ingest.discarded")
    log.write(2)
    found = written(log, export)
    assert (found.state, found.rows_written) == (ExportState.DONE, 3)
    assert [line["id"] for line in lines(log, export)] == [str(each) for each in ids]
    manifest = json.loads(files(log, export)["manifest.json"])
    assert manifest["rows"] == 3
    assert manifest["filters"]["action"] == "ingest.discarded"


def test_an_export_without_filters_holds_every_entry_in_its_place(log: Log, world: World) -> None:
    log.write(5)
    export = asked(log, world)
    before = len(log.leaves()) + 5
    written(log, export)
    found = lines(log, export)
    assert [line["leaf"] for line in found] == list(range(before))
    assert [line["hash"] for line in found] == [each.hex() for each in log.hashes()[:before]]


def test_a_record_tells_people_by_their_names_until_they_are_erased(log: Log, world: World) -> None:
    changed_member(log, world, "pete@acme.example")
    export = asked(log, world, action="member.role_changed")
    written(log, export)
    [line] = lines(log, export)
    assert line["summary"] == "ada@acme.example changed pete@acme.example from auditor to admin"
    assert line["data"] == {"member": "pete@acme.example", "old": "auditor", "new": "admin"}
    assert line["actor"] == {"type": "user", "id": world.ada.actor.id, "label": "ada@acme.example"}
    log.execute("UPDATE audit_entry SET private = '{}', actor_label = '' WHERE action = 'member.role_changed'")
    again = asked(log, world, action="member.role_changed")
    written(log, again)
    [line] = lines(log, again)
    assert sorted(line["erased"]) == ["actor_label", "data.member"]
    assert line["summary"] == "(erased) changed (erased) from auditor to admin"
    assert b"pete" not in gzip.decompress(files(log, again)["entries-000001.ndjson.gz"])


def test_large_data_is_in_the_file_again(log: Log, world: World) -> None:
    long = "x" * 40_000
    with tenant_scope(log.id):
        services.record_many(
            tenant=log.id,
            entries=[entry(action="search.saved", data={"name": "long", "query": long}, target=Target("search", "1"))],
        )
    export = asked(log, world, action="search.saved")
    written(log, export)
    [line] = lines(log, export)
    assert line["data"] == {"name": "long", "query": long}


def test_no_cell_of_a_csv_is_a_formula(log: Log, world: World) -> None:
    """Nor the beginning of one to a spreadsheet that splits at semicolons, to which quotes around a comma's cell mean nothing."""
    whole = ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\uff1d1"]
    inside = {
        "a;=1+1": "a;'=1+1",
        "a\n=1": "a\n'=1",
        "a;\t @x": "a;\t '@x",
        "\t=1": "'\t'=1",
        "\r=1": "'\r'=1",
        "a; b-c": "a; b-c",
    }
    for text in (*whole, *inside):
        changed_member(log, world, "pete@acme.example", reason=text)
    export = asked(log, world, ExportFormat.CSV, action="member.role_changed")
    written(log, export)
    assert {row["reason"] for row in rows(log, export)} == {*(f"'{text}" for text in whole), *inside.values()}


def test_a_csv_has_every_entry_under_its_columns(log: Log, world: World) -> None:
    changed_member(log, world, "pete@acme.example", reason='says "yes", and\nmore')
    export = asked(log, world, ExportFormat.CSV, action="member.role_changed")
    written(log, export)
    [row] = rows(log, export)
    assert tuple(row) == formats.COLUMNS
    assert row["reason"] == 'says "yes", and\nmore'
    assert row["actor_label"] == "ada@acme.example"
    assert json.loads(row["data"])["member"] == "pete@acme.example"


def test_an_ocsf_export_is_one_event_a_line(log: Log, world: World) -> None:
    changed_member(log, world, "pete@acme.example")
    export = asked(log, world, ExportFormat.OCSF, action="member.role_changed")
    written(log, export)
    [event] = lines(log, export)
    assert (event["class_uid"], event["type_uid"]) == (3005, 300503)


def test_a_bundle_can_be_verified_by_whoever_has_the_keys(
    log: Log, world: World, client_for: Callable[..., Client], tmp_path: Path
) -> None:
    changed_member(log, world, "pete@acme.example")
    export = asked(log, world, ExportFormat.BUNDLE)
    assert written(log, export).state == ExportState.DONE
    place = tmp_path / "bundle.zip"
    place.write_bytes(downloaded(client_for(world.audrey), world, export))
    report = verifier.verify(place, keys=public_keys())
    assert report.is_sound, report.findings


def test_what_one_of_two_has_said_is_in_no_export_until_the_other_has_spoken(
    log: Log, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = uuid.uuid4()
    vote = entry(
        action="approval.voted",
        actor=world.ben.actor,
        target=Target("confirmation", str(waits)),
        data={"tool": "pay", "action_digest": "a", "view_digest": "b"},
    )
    with tenant_scope(log.id):
        services.record_many(tenant=log.id, entries=[vote])
    place = len(log.leaves())
    log.write(2)
    monkeypatch.setattr(tasks.confirmations, "half_agreed", lambda tenant: [waits])
    readable, bundle = asked(log, world), asked(log, world, ExportFormat.BUNDLE)
    written(log, readable)
    actions = [line["action"] for line in lines(log, readable)]
    assert "approval.voted" not in actions
    assert actions.count("ingest.discarded") == 2
    found = written(log, bundle)
    assert json.loads(files(log, bundle)["manifest.json"])["leaf_count"] == place
    assert queries.ends_before_vote(found)
    monkeypatch.setattr(tasks.confirmations, "half_agreed", lambda tenant: [])
    later = asked(log, world)
    written(log, later)
    assert "approval.voted" in [line["action"] for line in lines(log, later)]


# -- the job ---------------------------------------------------------------------------------------------------------


def test_a_large_export_is_written_in_parts_and_complete(
    log: Log, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PART_ROWS", 40)
    monkeypatch.setattr(exporting.exports, "WINDOW", 25)
    ids = log.write(120)
    export = asked(log, world, action="ingest.discarded")
    written(log, export)
    assert [line["id"] for line in lines(log, export)] == [str(each) for each in ids]
    names = list(files(log, export))
    assert names[-1] == "manifest.json"
    assert len(names) > 2
    for file in json.loads(files(log, export)["manifest.json"])["files"]:
        assert formats.sha256(files(log, export)[file["name"]]) == file["sha256"]


def test_whoever_lost_its_claim_writes_nothing(log: Log, world: World) -> None:
    log.write(5)
    export = asked(log, world)
    log.seal()
    with tenant_scope(log.id):
        first = services.claim_export(tenant=log.id, export=export, at=clock.now())
    assert first is not None
    with tenant_scope(log.id):
        assert services.claim_export(tenant=log.id, export=export, at=clock.now()) is None, "it is taken"
        Export.objects.filter(tenant_id=log.id, id=export).update(claimed_until=clock.now() - timedelta(minutes=1))
    with tenant_scope(log.id):
        second = services.claim_export(tenant=log.id, export=export, at=clock.now())
    assert second is not None
    with pytest.raises(ClaimLost), tenant_scope(log.id):
        services.write_export(tenant=log.id, slug="acme", claim=first, at=clock.now())
    assert files(log, export) == {}


def test_a_cancelled_export_stops_and_keeps_no_file(log: Log, world: World) -> None:
    log.write(5)
    export = asked(log, world)
    log.seal()
    with tenant_scope(log.id):
        claim = services.claim_export(tenant=log.id, export=export, at=clock.now())
    assert claim is not None
    with tenant_scope(log.id):
        assert services.cancel_export(tenant=log.id, export=export, by=world.ada.actor, at=clock.now())
    with pytest.raises(ClaimLost), tenant_scope(log.id):
        services.write_export(tenant=log.id, slug="acme", claim=claim, at=clock.now())
    found = written(log, export)
    assert (found.state, files(log, export)) == (ExportState.CANCELLED, {})
    assert log.organisation.actions()[-2:] == ["audit.exported", "audit.export_cancelled"]


def test_an_export_that_cannot_be_written_is_given_up_and_says_so(
    log: Log, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write(2)
    export = asked(log, world)
    log.seal()

    def broken(**_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(exporting, "_fill", broken)
    for _ in range(exporting.ATTEMPTS_MOST):
        tasks.write_exports()
        with tenant_scope(log.id):
            Export.objects.filter(tenant_id=log.id, state="running").update(claimed_until=None)
    with tenant_scope(log.id):
        found = queries.export(tenant=log.id, export=export)
    assert found.state == ExportState.FAILED
    assert "could not be written" in found.error
    assert log.organisation.actions()[-1] == "audit.export_failed"


def test_entries_that_wait_for_their_seal_are_waited_for(log: Log, world: World) -> None:
    log.write(2)
    export = asked(log, world, action="ingest.discarded")
    tasks.write_exports()
    with tenant_scope(log.id):
        found = queries.export(tenant=log.id, export=export)
        assert (found.state, found.cursor) == (ExportState.RUNNING, {})
        Export.objects.filter(tenant_id=log.id).update(claimed_until=None)
    assert written(log, export).rows_written == 2


def test_files_are_kept_for_seven_days(log: Log, world: World) -> None:
    export = asked(log, world)
    written(log, export)
    with tenant_scope(log.id):
        assert services.purge_exports(tenant=log.id, at=clock.now() + timedelta(days=6)) == 0
        assert services.purge_exports(tenant=log.id, at=clock.now() + timedelta(days=8)) == 2
        assert queries.export(tenant=log.id, export=export).state == ExportState.DONE
        services.purge_exports(tenant=log.id, at=clock.now() + timedelta(days=91))
        with pytest.raises(NotThere):
            queries.export(tenant=log.id, export=export)


def test_an_organisation_has_three_exports_at_a_time(log: Log, world: World) -> None:
    for _ in range(3):
        asked(log, world)
    with pytest.raises(TooManyExports):
        asked(log, world)


def test_one_organisation_gets_nothing_of_another(log: Log, world: World) -> None:
    other = Log(world.globex)
    other.write(4)
    other.seal()
    export = asked(log, world)
    written(log, export)
    assert {line["tenant"] for line in lines(log, export)} == {str(log.id)}
    with tenant_scope(other.id), pytest.raises(NotThere):
        queries.export(tenant=other.id, export=export)


# -- pages -----------------------------------------------------------------------------------------------------------


def downloaded(client: Client, world: World, export: uuid.UUID) -> bytes:
    answer = client.get(world.acme.url(f"audit/exports/{export}/download/"))
    assert answer.status_code == 200
    streamed: Any = answer.streaming_content  # type: ignore[attr-defined]
    return b"".join(streamed)


def test_an_auditor_asks_for_the_export_of_a_search_watches_it_and_downloads_it(
    log: Log, world: World, client_for: Callable[..., Client]
) -> None:
    log.write(3)
    client = client_for(world.audrey)
    form = client.get(world.acme.url("audit/exports/new/?action=ingest.discarded"))
    assert b"ingest.discarded" in form.content
    answer = client.post(
        world.acme.url("audit/exports/new/"), {"form": "ndjson", "action": "ingest.discarded", "from": "", "to": ""}
    )
    assert answer.status_code == 302
    [export] = _exports(log)
    assert answer["Location"] == world.acme.url(f"audit/exports/{export.id}/")
    waiting = client.get(answer["Location"])
    assert b"hx-trigger" in waiting.content
    written(log, export.id)
    done = client.get(answer["Location"])
    assert b"hx-trigger" not in done.content
    assert b"entries-000001.ndjson.gz" in done.content
    archive = zipfile.ZipFile(io.BytesIO(downloaded(client, world, export.id)))
    assert archive.testzip() is None
    assert archive.namelist() == ["entries-000001.ndjson.gz", "manifest.json"]
    part = client.get(world.acme.url(f"audit/exports/{export.id}/files/1/"))
    assert part.content == archive.read("entries-000001.ndjson.gz")
    assert "attachment" in part["Content-Disposition"]
    assert log.organisation.actions()[-3:] == ["audit.exported", *["audit.export_downloaded"] * 2]


def test_a_wrong_search_is_told_at_the_form(log: Log, world: World, client_for: Callable[..., Client]) -> None:
    answer = client_for(world.audrey).post(
        world.acme.url("audit/exports/new/"), {"form": "ndjson", "from": "yesterday", "to": ""}
    )
    assert answer.status_code == 422
    assert _exports(log) == []


def test_an_export_is_cancelled_and_removed_by_its_page(
    log: Log, world: World, client_for: Callable[..., Client]
) -> None:
    client = client_for(world.ada)
    export = asked(log, world)
    assert client.post(world.acme.url(f"audit/exports/{export}/cancellation/")).status_code == 302
    assert _exports(log)[0].state == ExportState.CANCELLED
    assert client.post(world.acme.url(f"audit/exports/{export}/removal/")).status_code == 302
    assert _exports(log) == []
    assert log.organisation.actions()[-2:] == ["audit.export_cancelled", "audit.export_removed"]


def test_a_zip_of_several_large_files_is_sound(log: Log, world: World, client_for: Callable[..., Client]) -> None:
    export = asked(log, world)
    written(log, export)
    content = bytes(range(256)) * 20_000
    with tenant_scope(log.id):
        for number in (10, 11):
            ExportPart.objects.create(
                tenant_id=log.id, export_id=export, number=number, name=f"more-{number}", row_count=0,
                sha256="", size_bytes=len(content), content=content, made_at=clock.now(),
            )  # fmt: skip
    archive = zipfile.ZipFile(io.BytesIO(downloaded(client_for(world.ada), world, export)))
    assert archive.testzip() is None
    assert archive.read("more-11") == content


def _exports(log: Log) -> list[Export]:
    with tenant_scope(log.id):
        return queries.all_exports(tenant=log.id)


def test_the_parts_of_a_bundle_are_those_of_the_command(
    log: Log, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "PART_LEAVES", 30)
    log.write(100)
    export = asked(log, world, ExportFormat.BUNDLE)
    found = written(log, export)
    entries = [name for name in files(log, export) if name.startswith("entries-")]
    assert len(entries) > 3
    assert found.rows_written == json.loads(files(log, export)["manifest.json"])["leaf_count"]
