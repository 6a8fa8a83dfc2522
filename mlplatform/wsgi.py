"""What the web server (granian) runs."""

import os

import django
from django.conf import settings

from mlplatform.celery import app
from mlplatform.checks import refuse_unsafe_start
from mlplatform.foundation.database import set_deadline

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlplatform.settings")
django.setup(set_prefix=False)

from mlplatform.handler import Handler  # noqa: E402 (Django's parts need the settings)

application = Handler()
refuse_unsafe_start()

# A hung store costs a request two seconds at most, a hung broker half of one: what could not be
# asked of a worker stands in a row, and the sweeper asks again.
set_deadline(settings.DATABASE_DEADLINE_SECONDS)
app.conf.broker_transport_options = {
    "socket_timeout": 0.5,
    "socket_connect_timeout": 0.3,
    "retry_on_timeout": False,
}
