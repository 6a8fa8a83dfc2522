"""Who belongs to an organization, and with which role.

Every change locks the organization's row first: what the actor may do is
looked at and owners are counted behind the lock, so that of two changes at
once the second sees the first.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import audit, generation
from accounts.errors import LastOwner, MemberNotFound, RoleOutOfReach
from accounts.models import APIKey, Invitation, Membership, Organization, User
from accounts.roles import Capability, Role, capabilities_of, manageable_with
from accounts.tenancy import Standing


@transaction.atomic
def change_role(
    *, standing: Standing, by: User, user_id: UUID, role: str, at: datetime
) -> Membership:
    """Raises MemberNotFound, RoleOutOfReach or LastOwner."""
    organization = lock(standing.organization)
    member = _member(organization, user_id)
    old = member.role
    check_reach(standing, by, old, role)
    if old != role:
        _keep_an_owner(organization, losing=member)
        member.change_role(role)
        if Capability.ADMINISTER not in capabilities_of(role):
            _void_invitations(member, at=at)
        _record("member.role_changed", member, by, old=old, new=role)
    return member


@transaction.atomic
def remove(*, standing: Standing, by: User, user_id: UUID, at: datetime) -> None:
    """Their keys for the organization and their invitations go too. Removing oneself is leaving.

    Raises MemberNotFound, RoleOutOfReach or LastOwner.
    """
    organization = lock(standing.organization)
    member = _member(organization, user_id)
    check_reach(standing, by, member.role)
    end(member, by=by, at=at)


@transaction.atomic
def leave(*, organization: Organization, user: User, at: datetime) -> None:
    """Raises LastOwner: hand the organization over first. MemberNotFound when already gone."""
    lock(organization)
    end(_member(organization, user.pk), by=user, at=at)


@transaction.atomic
def transfer(*, standing: Standing, by: User, user_id: UUID) -> Membership:
    """Make a member the owner; who was it stays as an admin.

    Raises MemberNotFound or RoleOutOfReach.
    """
    organization = lock(standing.organization)
    heir = _member(organization, user_id)
    check_reach(standing, by, Role.OWNER)
    if heir.user_id != by.pk:
        heir.change_role(Role.OWNER)
        _member(organization, by.pk).change_role(Role.ADMIN)
        organization.hand_over()
        _record("organization.transferred", heir, by)
    return heir


def lock(organization: Organization) -> Organization:
    """Changes of one organization's people happen one after the other."""
    return Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


def check_reach(standing: Standing, by: User, *roles: str) -> None:
    """Whether `by` may give and take these roles: what the request may, and their role still does.

    Raises RoleOutOfReach.
    """
    role_now = standing.organization.memberships.filter(user=by).values_list("role", flat=True)
    still = capabilities_of(role_now.first() or "")
    beyond = set(roles) - manageable_with(standing.capabilities & still)
    if beyond:
        raise RoleOutOfReach(
            f"You may not give or take the role {sorted(beyond)[0]}. Ask an owner."
        )


def _member(organization: Organization, user_id: UUID) -> Membership:
    member = organization.memberships.select_related("user").filter(user=user_id).first()
    if member is None:
        raise MemberNotFound("Nobody with this id is in the organization.")
    return member


def _keep_an_owner(organization: Organization, *, losing: Membership) -> None:
    # Who was switched off could not hand it on.
    others = organization.memberships.filter(role=Role.OWNER, user__is_active=True)
    others = others.exclude(pk=losing.pk)
    if losing.role == Role.OWNER and not others.exists():
        raise LastOwner("This is the organization's last owner. Make somebody else an owner first.")


def end(member: Membership, *, by: User, at: datetime) -> None:
    """The membership and all that rested on it. The caller holds the organization's lock.

    Raises LastOwner.
    """
    organization, user = member.organization, member.user
    _keep_an_owner(organization, losing=member)
    # Or the keys would work again for whoever is invited back one day.
    keys = APIKey.objects.for_organization(organization).made_by(user).revoke(at=at)
    _void_invitations(member, at=at)
    verb = "member.left" if user.pk == by.pk else "member.removed"
    _record(verb, member, by, role=member.role, keys_revoked=keys)
    member.delete()


def _void_invitations(member: Membership, *, at: datetime) -> None:
    """Those that wait were as good as the role of who made them."""
    invitations = Invitation.objects.for_organization(member.organization)
    invitations.filter(invited_by=member.user).revoke(at=at)


def _record(verb: str, member: Membership, by: User, **detail: object) -> None:
    organization = member.organization
    audit.record(organization=organization, by=by, verb=verb, target=member.user, detail=detail)
    generation.bump(organization)
