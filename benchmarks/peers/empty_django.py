"""As little as Django does: one view, no middleware. What a Django application could reach."""

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="of a benchmark")


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b'{"predictions": []}', content_type="application/json")


urlpatterns = [path("predict", answer)]
django.setup()
application = WSGIHandler()
