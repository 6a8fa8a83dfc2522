import django.db.models.deletion
import django.utils.timezone
import mlplatform.foundation.uuid7
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_restrict_and_roll_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='TokenFamily',
            fields=[
                ('id', models.UUIDField(default=mlplatform.foundation.uuid7.uuid7, editable=False, primary_key=True, serialize=False)),
                ('refresh_jti', models.CharField(editable=False, max_length=32)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField(editable=False)),
                ('revoked_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'verbose_name_plural': 'token families',
            },
        ),
        migrations.AddField(
            model_name='tokenfamily',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='token_families', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='tokenfamily',
            index=models.Index(fields=['expires_at'], name='token_family_by_end'),
        ),
        # simplejwt's lists of tokens are not used any more; their rows would keep users from
        # being deleted.
        migrations.RunSQL(
            'DROP TABLE IF EXISTS token_blacklist_blacklistedtoken, token_blacklist_outstandingtoken',
            migrations.RunSQL.noop,
        ),
    ]
