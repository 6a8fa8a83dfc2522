"""Answering over HTTP, and the log of what was answered."""

import re
from typing import Any
from uuid import UUID

import structlog
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import access
from accounts.authentication import authenticate_again
from accounts.models import APIKey
from accounts.permissions import CanPredict, CanRead
from accounts.tenancy import organization_of
from inference import errors, pipeline
from inference.api import answers, bodies
from inference.api.serializers import (
    EXAMPLES,
    AnswerSerializer,
    PredictionSerializer,
    PredictionSummarySerializer,
    PredictSerializer,
)
from inference.api.shapes import Asked
from inference.models import Prediction, PredictionQuerySet
from inference.pipeline import Caller, Understood
from registry import routing
from registry.models import CHAMPION
from registry.serving import find_model

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
# A request begins anew when its organization has changed since it was authenticated.
MAX_BEGINNINGS = 3
_ALIAS = re.compile(r"[-a-zA-Z0-9_]{1,50}", re.ASCII)


class PredictView(APIView):
    permission_classes = [CanPredict]
    max_body_bytes = None  # its own limit says how to split a request
    passes_gate_itself = True
    problems = {
        "post": (
            errors.InvalidInput,
            errors.ModelRaised,
            errors.UnknownShape,
            errors.UnknownEncoding,
            errors.UnknownTarget,
            errors.BadReply,
            errors.ModelTimedOut,
        )
    }

    @extend_schema(
        operation_id="predict",
        tags=["predictions"],
        parameters=[
            OpenApiParameter("version", int, description="this version, promoted or not"),
            OpenApiParameter("alias", str, description=f"who answers, {CHAMPION} by default"),
            OpenApiParameter(
                "Cache-Control",
                str,
                OpenApiParameter.HEADER,
                description="`no-cache`: let the model itself answer",
            ),
            OpenApiParameter(
                "X-Cache",
                str,
                OpenApiParameter.HEADER,
                enum=["HIT", "MISS", "PARTIAL", "BYPASS"],
                response=[200],
                description="whether the rows came from the cache",
            ),
        ],
        request=PredictSerializer,
        responses=AnswerSerializer,
        examples=EXAMPLES,
    )
    def post(self, request: Request, model: str) -> Response:
        """Ask a model, by id or name. `inputs` takes many rows in one request.

        To a model fitted without column names, send lists, or objects with the
        names its signature shows (x0, x1, …).
        """
        for _ in range(MAX_BEGINNINGS):
            try:
                return self._answer(request, model)
            except access.Outdated:
                authenticate_again(request)
                self.check_permissions(request)
        raise AuthenticationFailed("Your organization changes too often. Ask again.")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who may not ask any more is told only that, and not what is wrong with the request."""
        for left in reversed(range(MAX_BEGINNINGS)):
            try:
                super().initial(request, *args, **kwargs)
                return
            except Exception:
                try:
                    access.enter(request)
                except access.Outdated:
                    if left:
                        authenticate_again(request)
                        continue
                raise

    def _answer(self, request: Request, model: str) -> Response:
        """Nothing of what is asked is told, not even what is wrong with it, before `enter`."""
        try:
            asked, question = self._understood(request, model)
        except Exception:
            access.enter(request)
            raise
        predictions = 0 if question.fault else len(question.instances)
        found = access.enter(request, predictions=predictions, wanted=question.wanted)

        answer = pipeline.answer(question, found, caller=_caller(request))

        body = answers.body_of(asked, question, answer)
        return Response(body, headers={"X-Cache": answer.cache})

    def _understood(self, request: Request, model: str) -> tuple[Asked, Understood]:
        served = routing.find(organization_of(request), model, **_target(request))
        structlog.contextvars.bind_contextvars(
            model_id=str(served.model_id), model_version=served.version_number
        )
        body = bodies.read(request._request)
        asked = bodies.parse(body, served.signature, content_type=request.content_type)
        use_cache = "no-cache" not in request.headers.get("Cache-Control", "")
        question = pipeline.understand(served, asked.instances, asked.pointers, use_cache=use_cache)
        for fault in question.fault.errors if question.fault else ():
            fault["pointer"] = asked.where(fault["pointer"])
        return asked, question


def _target(request: Request) -> dict[str, Any]:
    """`version` or `alias`, as `resolve` takes them. Raises UnknownTarget."""
    version = request.query_params.get("version")
    alias = request.query_params.get("alias")
    if version is not None and alias is not None:
        raise errors.UnknownTarget("Ask for a version or for an alias, not for both.")
    if version is not None:
        if not _NUMBER.fullmatch(version):
            raise errors.UnknownTarget("The version must be a number: 1, 2, 3, …")
        return {"version": int(version)}
    if alias is not None and not _ALIAS.fullmatch(alias):
        raise errors.UnknownTarget(f"The alias must be a name such as {CHAMPION}.")
    return {"alias": alias} if alias else {}


def _caller(request: Request) -> Caller:
    key_id = request.auth.pk if isinstance(request.auth, APIKey) else None
    return Caller(user_id=request.user.pk, api_key_id=key_id, request_id=request.id)


class NewestFirst(CursorPagination):
    """By time, not by number: counting a log costs more than reading a page of it."""

    ordering = ("-ts", "-id")
    page_size = 25
    max_page_size = 200
    page_size_query_param = "page_size"


class _Predictions(GenericAPIView):
    permission_classes = [CanRead]

    def get_queryset(self) -> PredictionQuerySet:
        return Prediction.objects.for_organization(organization_of(self.request))


class PredictionsView(_Predictions):
    pagination_class = NewestFirst
    serializer_class = PredictionSummarySerializer

    @extend_schema(
        operation_id="list_predictions",
        tags=["predictions"],
        parameters=[
            OpenApiParameter("model", str, description="only this model's, by id or name"),
            OpenApiParameter("status", str, enum=Prediction.Status.values),
        ],
        responses=PredictionSummarySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The organization's predictions, newest first. A new one shows within a second."""
        page = self.paginate_queryset(self._asked_for(request).without_payloads())
        return self.get_paginated_response(PredictionSummarySerializer(page, many=True).data)

    def _asked_for(self, request: Request) -> PredictionQuerySet:
        predictions = self.get_queryset()
        if model := request.query_params.get("model"):
            found = find_model(organization_of(request), model.replace("\0", ""))
            predictions = predictions.of_model(found.pk)
        if status := request.query_params.get("status"):
            if status not in Prediction.Status.values:
                raise ValidationError({"status": "ok or error"})
            predictions = predictions.filter(status=status)
        return predictions


class PredictionView(_Predictions):
    @extend_schema(
        operation_id="get_prediction", tags=["predictions"], responses=PredictionSerializer
    )
    def get(self, request: Request, prediction_id: UUID) -> Response:
        """One prediction with its inputs and outputs."""
        found = self.get_queryset().identified(prediction_id).first()
        if found is None:
            raise Http404("Your organization has no such prediction.")
        return Response(PredictionSerializer(found).data)
