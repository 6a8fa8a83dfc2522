"""Pages. For now the one that people land on; the dashboard grows from it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.tenancy import organization_of
from registry.models import RegisteredModel


def home(request: HttpRequest) -> HttpResponse:
    """The organization's models and their endpoints; for strangers, what this is."""
    if not request.user.is_authenticated:
        return render(request, "landing.html", {"site_url": settings.SITE_URL})
    organization = organization_of(request)
    models = RegisteredModel.objects.for_organization(organization).live()
    rows = models.prefetch_related("aliases__version", "versions")[:100]
    context = {"organization": organization, "models": rows, "site_url": settings.SITE_URL}
    return render(request, "registry/home.html", context)
