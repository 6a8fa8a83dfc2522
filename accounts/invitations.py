"""Asking people into an organization by mail: a link that works once, within a week.

Only who has an account with the invited address may follow it. That address
is sure to be theirs with ACCOUNT_EMAIL_VERIFICATION=mandatory alone: without
it, whoever is handed the link could sign up as the invited.
"""

from datetime import datetime, timedelta
from functools import partial
from smtplib import SMTPException
from urllib.parse import urljoin
from uuid import UUID

import structlog
from django.conf import settings
from django.core import signing
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.timezone import now

from accounts import audit, generation
from accounts.emails import canonical_email
from accounts.errors import AlreadyMember, InvitationForAnother, InvitationVoid, TooMany
from accounts.members import check_reach, lock
from accounts.models import Invitation, Membership, User
from accounts.roles import capabilities_of, manageable_with
from accounts.tenancy import Standing

logger = structlog.get_logger(__name__)

VALID_FOR = timedelta(days=7)
# More waiting at once, or made in a day, would be somebody sending mail to the world.
MOST_PENDING = 100
MOST_A_DAY = 100

_signer = signing.Signer(salt="accounts.invitations")


@transaction.atomic
def invite(*, standing: Standing, by: User, email: str, role: str, at: datetime) -> Invitation:
    """Send a link to this address. An earlier one to it is void.

    Raises RoleOutOfReach, AlreadyMember or TooMany.
    """
    organization = lock(standing.organization)
    email = canonical_email(email)
    check_reach(standing, by, role)
    if organization.memberships.filter(user__email=email).exists():
        raise AlreadyMember(f"{email} is in the organization already.")
    waiting = Invitation.objects.for_organization(organization)
    waiting.filter(email=email).revoke(at=at)
    if waiting.pending(at=at).count() >= MOST_PENDING:
        raise TooMany(f"{MOST_PENDING} invitations wait already. Withdraw some of them first.")
    if waiting.filter(created_at__gt=at - timedelta(days=1)).count() >= MOST_A_DAY:
        raise TooMany(f"{MOST_A_DAY} invitations were sent within a day. Go on tomorrow.")
    invitation = organization.invitations.create(
        email=email, role=role, invited_by=by, created_at=at, expires_at=at + VALID_FOR
    )
    _record("member.invited", invitation, by)
    transaction.on_commit(partial(_mail, invitation))
    return invitation


@transaction.atomic
def withdraw(invitation: Invitation, *, by: User, at: datetime) -> None:
    """Its link is void. One that was used or withdrawn before stays as it is."""
    lock(invitation.organization)
    if Invitation.objects.filter(pk=invitation.pk).revoke(at=at):
        _record("member.invitation_revoked", invitation, by)


def find(token: str, *, at: datetime) -> Invitation:
    """The open invitation of a link. Raises InvitationVoid."""
    try:
        invitation_id = UUID(_signer.unsign(token))
    except (signing.BadSignature, ValueError):
        raise _void() from None
    rows = Invitation.objects.select_related("organization", "invited_by")
    invitation = rows.filter(pk=invitation_id).first()
    if invitation is None or not invitation.is_open(at=at):
        raise _void()
    return invitation


@transaction.atomic
def accept(token: str, *, by: User, at: datetime) -> Membership:
    """Join. Raises InvitationVoid, InvitationForAnother or AlreadyMember."""
    organization = lock(find(token, at=at).organization)
    # Again behind the lock: of two clicks at once, one joins.
    invitation = find(token, at=at)
    if not _is_backed(invitation):
        raise _void()
    if invitation.email != by.email:
        raise InvitationForAnother(
            f"The invitation was sent to {invitation.email}, and you are signed in as {by.email}. "
            f"Sign in as {invitation.email}, or ask to be invited as {by.email}."
        )
    if organization.memberships.filter(user=by).exists():
        raise AlreadyMember(f"You are in {organization.name} already.")
    invitation.mark_accepted(at=at)
    member = organization.memberships.create(user=by, role=invitation.role, created_at=at)
    audit.record(
        organization=organization,
        by=by,
        verb="member.joined",
        target=by,
        detail={"role": member.role, "invited_by": invitation.invited_by.email},
    )
    generation.bump(organization)
    return member


def _is_backed(invitation: Invitation) -> bool:
    """Whether who invited may still give this role."""
    members = invitation.organization.memberships.filter(user__is_active=True)
    inviter = members.filter(user=invitation.invited_by).first()
    return inviter is not None and invitation.role in manageable_with(capabilities_of(inviter.role))


def link_of(invitation: Invitation) -> str:
    """The absolute URL that only the mail has."""
    path = reverse("invitation", kwargs={"token": token_of(invitation)})
    return urljoin(settings.SITE_URL, path)


def token_of(invitation: Invitation) -> str:
    return _signer.sign(invitation.pk.hex)


def _mail(invitation: Invitation) -> None:
    """Fails open: the invitation stands, and shows as not mailed; inviting again tries again."""
    context = {"invitation": invitation, "link": link_of(invitation), "days": VALID_FOR.days}
    try:
        send_mail(
            f"Join {invitation.organization.name} on mlplatform",
            render_to_string("accounts/mail/invitation.txt", context),
            None,
            [invitation.email],
        )
    except (SMTPException, OSError):
        logger.exception("invitation not mailed", invitation_id=str(invitation.pk))
    else:
        invitation.mark_mailed(at=now())


def _record(verb: str, invitation: Invitation, by: User) -> None:
    audit.record(
        organization=invitation.organization,
        by=by,
        verb=verb,
        target=invitation,
        detail={"role": invitation.role},
    )


def _void() -> InvitationVoid:
    return InvitationVoid(
        "This invitation was used or withdrawn, or is more than a week old. Ask for another one."
    )
