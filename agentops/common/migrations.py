"""The migration operation for tables that PostgreSQL partitions; Django's state sees an ordinary model."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState


class CreatePartitioned(migrations.CreateModel):
    """`CreateModel`, with `PARTITION BY RANGE (column)` at the end of the table's SQL.

    The model's primary key must contain the column (PostgreSQL's rule). Partitions are made by partitions.py.
    """

    def __init__(self, *args: Any, partition_by: str, **kwargs: Any) -> None:
        self.partition_by = partition_by
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        name, args, kwargs = super().deconstruct()
        return name, args, {**kwargs, "partition_by": self.partition_by}

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        statement, params = schema_editor.table_sql(model)
        schema_editor.execute(
            f"{statement} PARTITION BY RANGE ({schema_editor.quote_name(self.partition_by)})", params or None
        )
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))  # type: ignore[attr-defined]
