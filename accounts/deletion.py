"""Leaving for good: the account, and the organizations nobody else is in."""

from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import QuerySet

from accounts import audit, belongings, generation, members
from accounts.errors import SoleOwner
from accounts.models import APIKey, Membership, Organization, User
from accounts.roles import Role


@transaction.atomic
def delete_account(user: User, *, at: datetime) -> None:
    """Sign everything out, let go what is only theirs, and forget who they were.

    The row stays without name or address: logs, and what they made in shared
    organizations, name its id. Raises SoleOwner where others would be left
    without an owner; then nothing has changed.
    """
    mine = list(_locked_organizations(user))
    alone = [organization for organization in mine if not _others(organization, user).exists()]
    _refuse_orphans([o for o in mine if o not in alone], user)

    audit.record(organization=None, by=user, verb="account.deleted", target=user)
    generation.bump_for_user(user)
    for organization in alone:
        belongings.remove_all(organization, by=user, at=at)
    for member in _in_company(user, alone):
        members.end(member, by=user, at=at)
    for key in APIKey.objects.made_by(user).filter(revoked_at=None).select_related("organization"):
        key.revoke(at=at)
    user.memberships.all().delete()
    for organization in alone:
        organization.retire()
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


def _in_company(user: User, alone: list[Organization]) -> QuerySet[Membership]:
    """Where others stay behind, who read in the audit log that somebody left."""
    mine = user.memberships.select_related("organization", "user")
    return mine.exclude(organization__in=alone)


def _refuse_orphans(shared: list[Organization], user: User) -> None:
    orphans = [organization.slug for organization in shared if _is_sole_owner(organization, user)]
    if orphans:
        raise SoleOwner(
            f"You are the only owner of {', '.join(orphans)}. "
            "Make somebody else an owner first, or remove the other members.",
            organizations=orphans,
        )


def _forget(user: User, *, at: datetime) -> None:
    for session in UserSession.objects.filter(user=user):
        session.end()
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    user.groups.clear()
    user.user_permissions.clear()
    user.anonymise(at=at)
