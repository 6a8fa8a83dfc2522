from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_organization_generation'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='monthly_predictions',
            field=models.PositiveBigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='rate_limit',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='requests a minute'),
        ),
        migrations.AddField(
            model_name='organization',
            name='monthly_predictions',
            field=models.PositiveBigIntegerField(blank=True, help_text='rows a calendar month (UTC); empty: no limit', null=True),
        ),
        migrations.AddField(
            model_name='organization',
            name='rate_limit',
            field=models.PositiveIntegerField(blank=True, help_text='of each key and each person', null=True, verbose_name='requests a minute'),
        ),
    ]
