from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0002_drift"), ("evals", "0002_judging"), ("evals", "0002_signals"), ("evals", "0002_gates")]

    operations = [migrations.AddField("agentendpoint", "paused_until", models.DateTimeField(null=True))]
