from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_limits'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='last_used_ip',
            field=models.GenericIPAddressField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='mode',
            field=models.CharField(choices=[('live', 'Live'), ('test', 'Test')], db_default='live', default='live', max_length=4),
        ),
        migrations.AddField(
            model_name='apikey',
            name='only_models',
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='previous_digest',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='apikey',
            name='previous_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('previous_digest', ''), ('previous_until__isnull', False), _connector='OR'), name='api_key_knows_how_long_its_old_secret_works'),
        ),
    ]
