from django.db import migrations, models

import mlplatform.foundation.uuid7

TABLE = """
CREATE TABLE inference_prediction (
    ts timestamptz NOT NULL,
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    model_id uuid NOT NULL,
    version_id uuid NOT NULL,
    version_number integer NOT NULL,
    user_id uuid,
    api_key_id uuid,
    request_id varchar(64) NOT NULL,
    rows integer NOT NULL,
    status varchar(10) NOT NULL,
    error_code varchar(64) NOT NULL,
    cached_rows integer NOT NULL,
    latency_us bigint NOT NULL,
    inputs jsonb NOT NULL,
    outputs jsonb,
    source varchar(20) NOT NULL,
    PRIMARY KEY (ts, id),
    CONSTRAINT prediction_status_is_known CHECK (status IN ('ok', 'error')),
    CONSTRAINT failed_prediction_has_code CHECK ((status = 'error') = (error_code <> '')),
    CONSTRAINT prediction_counts_fit CHECK (cached_rows BETWEEN 0 AND rows AND latency_us >= 0)
) PARTITION BY RANGE (ts)
"""

# Holds what no day's partition takes, so that no line is ever refused; it should stay empty.
DEFAULT = "CREATE TABLE inference_prediction_default PARTITION OF inference_prediction DEFAULT"

INDEXES = [
    "CREATE INDEX prediction_of_organization ON inference_prediction (organization_id, ts)",
    "CREATE INDEX prediction_of_version ON inference_prediction (version_id, ts)",
    "CREATE INDEX prediction_ts ON inference_prediction USING brin (ts)",
]


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.RunSQL(
            sql=[TABLE, DEFAULT, *INDEXES],
            reverse_sql="DROP TABLE inference_prediction",
            state_operations=[
                migrations.CreateModel(
                    name="Prediction",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=mlplatform.foundation.uuid7.uuid7,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("ts", models.DateTimeField(verbose_name="answered at")),
                        ("organization_id", models.UUIDField()),
                        ("model_id", models.UUIDField()),
                        ("version_id", models.UUIDField()),
                        ("version_number", models.PositiveIntegerField()),
                        ("user_id", models.UUIDField(null=True)),
                        ("api_key_id", models.UUIDField(null=True)),
                        ("request_id", models.CharField(max_length=64)),
                        ("rows", models.PositiveIntegerField()),
                        (
                            "status",
                            models.CharField(
                                choices=[("ok", "Ok"), ("error", "Error")], max_length=10
                            ),
                        ),
                        ("error_code", models.CharField(blank=True, max_length=64)),
                        ("cached_rows", models.PositiveIntegerField()),
                        ("latency_us", models.PositiveBigIntegerField()),
                        ("inputs", models.JSONField()),
                        ("outputs", models.JSONField(null=True)),
                        ("source", models.CharField(max_length=20)),
                    ],
                    options={"db_table": "inference_prediction", "managed": False},
                ),
            ],
        ),
    ]
