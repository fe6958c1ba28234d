from django.db import migrations


class Migration(migrations.Migration):
    """Every row of `audit_pending` is deleted within seconds, and the sealer reads the table from its beginning."""

    dependencies = [
        ("audit", "0003_seal_manifests_and_whole_hashes"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE audit_pending SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, "
            "autovacuum_vacuum_cost_delay = 0)",
            "ALTER TABLE audit_pending RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, "
            "autovacuum_vacuum_cost_delay)",
        ),
    ]
