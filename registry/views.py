"""Pages: the organization's models, one model, promoting one of its versions."""

import json
import shlex
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import Capability
from accounts.tenancy import organization_of, standing_of
from registry.estimator import Estimator
from registry.forms import PromotionForm, VersionChangeForm
from registry.lifecycle import change_version
from registry.models import CHAMPION, ModelVersion, RegisteredModel
from registry.promotion import promote
from registry.serving import find_model, find_version
from registry.signature import Signature

PAGE_SIZE = 25


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The organization's models and their endpoints; for strangers, what this is."""
    if not request.user.is_authenticated:
        return render(request, "landing.html", {"site_url": settings.SITE_URL})
    organization = organization_of(request)
    models = RegisteredModel.objects.for_organization(organization).live().with_standing()
    context = {
        "organization": organization,
        "page": _page(request, models.order_by("-updated_at", "pk")),
        "site_url": settings.SITE_URL,
    }
    return render(request, "registry/home.html", context)


@require_safe
@never_cache
@login_required
def model_page(request: HttpRequest, name: str) -> HttpResponse:
    """How to call the model, what it takes and gives, and its versions."""
    standing = standing_of(request)
    model = find_model(standing.organization, name)
    champion = model.aliases.filter(name=CHAMPION).select_related("version").first()
    shown = champion.version if champion else model.versions.ready().latest_first().first()
    signature = shown.checked_signature if shown else None
    versions = model.versions.latest_first().defer(*ModelVersion.LARGE)
    newest = model.versions.latest_first().first()
    context = {
        "organization": standing.organization,
        "model": model,
        "champion": champion and champion.version,
        "admission": newest if newest and not newest.is_admitted else None,
        "shown": shown,
        "signature": signature,
        "estimator": shown and Estimator.from_json(shown.facts),
        "example": shown and example_body(shown, signature),
        "page": _page(request, versions.prefetch_related("aliases")),
        "may_deploy": Capability.DEPLOY in standing.capabilities,
        "site_url": settings.SITE_URL,
    }
    return render(request, "registry/model.html", context)


@require_POST
@login_required
def promote_version(request: HttpRequest, name: str) -> HttpResponse:
    """Let the version that the form names answer from now on."""
    model = _deployable(request, name)
    version = find_version(model, _asked(PromotionForm(request.POST))["version"])

    promote(version, alias=CHAMPION, by=request.user, at=now())

    messages.success(request, f"Version {version.number} of {model.name} answers from now on.")
    return redirect("model", model.name)


@require_POST
@login_required
def change_one(request: HttpRequest, name: str) -> HttpResponse:
    """Pin the version that the form names, deprecate or archive it, or take that back."""
    model = _deployable(request, name)
    asked = _asked(VersionChangeForm(request.POST))
    version = find_version(model, asked["version"])

    change_version(version, by=request.user, pinned=asked["pinned"], status=asked["status"] or None)

    messages.success(request, f"Version {version.number} of {model.name} is changed.")
    return redirect("model", model.name)


def _deployable(request: HttpRequest, name: str) -> RegisteredModel:
    """The model, for somebody who may change what answers."""
    standing = standing_of(request)
    model = find_model(standing.organization, name)
    if Capability.DEPLOY not in standing.capabilities:
        raise PermissionDenied("Promoting or changing a version needs the role developer.")
    return model


def _asked(form: Form) -> dict[str, Any]:
    if not form.is_valid():
        raise BadRequest("the form names no version, or nothing to be done with it")
    return form.cleaned_data


def example_body(version: ModelVersion, signature: Signature) -> str:
    """A request's JSON for one row that the model has answered, quoted for a shell."""
    row = signature.example(version.golden.get("input", ()), digits=3)
    body = {"input": row if signature.named else list(row.values())}
    return shlex.quote(json.dumps(body, ensure_ascii=False))


def _page(request: HttpRequest, rows: QuerySet) -> Page:
    return Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
