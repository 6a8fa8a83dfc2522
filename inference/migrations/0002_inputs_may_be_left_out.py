from django.db import migrations


class Migration(migrations.Migration):
    """A model's owner may want no payloads in the log."""

    dependencies = [("inference", "0001_prediction")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE inference_prediction ALTER COLUMN inputs DROP NOT NULL",
            migrations.RunSQL.noop,
        )
    ]
