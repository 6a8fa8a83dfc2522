"""Pages about oneself that django-allauth does not have."""

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts import audit


@require_POST
@login_required
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign one of one's own browsers out."""
    session = get_object_or_404(UserSession, pk=session_id, user=request.user)
    detail = {"browser": session.user_agent}

    session.end()

    audit.record(
        organization=None,
        by=request.user,
        verb="account.signed_out",
        target=request.user,
        detail=detail,
    )
    messages.success(request, "That browser is signed out.")
    return redirect("usersessions_list")
