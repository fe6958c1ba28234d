from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0002_gates")]

    operations = [
        migrations.RemoveField("cohortday", "tokens_squares"),
        migrations.RemoveField("cohortday", "cost_squares"),
        migrations.AddField("cohortday", "tokens_logs", models.FloatField(default=0), preserve_default=False),
        migrations.AddField("cohortday", "tokens_log_squares", models.FloatField(default=0), preserve_default=False),
        migrations.AddField("cohortday", "cost_logs", models.FloatField(default=0), preserve_default=False),
        migrations.AddField("cohortday", "cost_log_squares", models.FloatField(default=0), preserve_default=False),
        migrations.CreateModel(
            name="CohortSweep",
            fields=[
                ("tenant_id", models.UUIDField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "part", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("part", models.CharField(default="all", max_length=10)),
                ("swept_at", models.DateTimeField()),
            ],
            options={"abstract": False},
        ),
    ]
