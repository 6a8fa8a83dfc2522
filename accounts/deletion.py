"""Leaving for good: the account, and the organizations nobody else is in."""

from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import QuerySet

from accounts import audit, belongings, generation, members
from accounts.errors import SoleOwner
from accounts.models import APIKey, Invitation, Membership, Organization, User
from accounts.roles import Role


@transaction.atomic
def delete_account(user: User, *, at: datetime) -> None:
    """Sign everything out, let go what is only theirs, and forget who they were.

    The row stays without name or address: logs, and what they made in shared
    organizations, name its id. Raises SoleOwner where others would be left
    without an owner; then nothing has changed.
    """
    mine = _locked_organizations(user)
    shared = [organization for organization in mine if _others(organization, user).exists()]
    _refuse_orphans(shared, user)

    audit.record(organization=None, by=user, verb="account.deleted", target=user)
    generation.bump_for_user(user)
    for organization in mine:
        if organization in shared:
            members.leave(organization=organization, user=user, at=at)
        else:
            _close(organization, user, at=at)
    _forget(user, at=at)


def organizations_in_the_way(user: User) -> list[Organization]:
    """Those that would be left without an owner."""
    shared = [o for o in _organizations(user) if _others(o, user).exists()]
    return [o for o in shared if _is_sole_owner(o, user)]


def _organizations(user: User) -> list[Organization]:
    return list(Organization.objects.filter(memberships__user=user).order_by("pk"))


def _locked_organizations(user: User) -> list[Organization]:
    # Locked in one order: another owner may be leaving at this moment.
    ids = Membership.objects.filter(user=user).values("organization_id")
    return list(Organization.objects.select_for_update().filter(pk__in=ids).order_by("pk"))


def _others(organization: Organization, user: User) -> QuerySet[Membership]:
    return organization.memberships.exclude(user=user)


def _is_sole_owner(organization: Organization, user: User) -> bool:
    owners = organization.memberships.filter(role=Role.OWNER, user__is_active=True)
    return not owners.exclude(user=user).exists() and owners.filter(user=user).exists()


def _refuse_orphans(shared: list[Organization], user: User) -> None:
    orphans = [organization.slug for organization in shared if _is_sole_owner(organization, user)]
    if orphans:
        raise SoleOwner(
            f"You are the only owner of {', '.join(orphans)}. "
            "Make somebody else an owner first, or remove the other members.",
            organizations=orphans,
        )


def _close(organization: Organization, user: User, *, at: datetime) -> None:
    """Nobody else is in it: what it has goes with its last member."""
    belongings.remove_all(organization, by=user, at=at)
    APIKey.objects.for_organization(organization).revoke(at=at)
    Invitation.objects.for_organization(organization).revoke(at=at)
    organization.memberships.all().delete()
    organization.retire()


def _forget(user: User, *, at: datetime) -> None:
    for session in UserSession.objects.filter(user=user):
        session.end()
    APIKey.objects.made_by(user).revoke(at=at)  # also of organizations left long ago
    invited = Invitation.objects.filter(email=user.email)  # read by the address as it was
    invited.revoke(at=at)
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    user.groups.clear()
    user.user_permissions.clear()
    user.anonymise(at=at)
    invited.update(email=user.email)
