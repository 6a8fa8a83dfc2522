"""`{% organizations as standing %}`: where the page acts, and the other organizations to choose."""

from dataclasses import dataclass
from typing import Any

from django import template

from accounts.errors import NoOrganization, UnknownOrganization
from accounts.models import Membership
from accounts.roles import Capability
from accounts.tenancy import Standing, standing_of

register = template.Library()


@dataclass(frozen=True)
class Choice:
    standing: Standing
    memberships: list[Membership]

    @property
    def may_administer(self) -> bool:
        return Capability.ADMINISTER in self.standing.capabilities


@register.simple_tag(takes_context=True)
def organizations(context: dict[str, Any]) -> Choice | None:
    """None for who is signed in nowhere, or is in no organization."""
    request = context.get("request")
    if request is None or not request.user.is_authenticated:
        return None
    try:
        standing = standing_of(request)
    except (NoOrganization, UnknownOrganization):
        return None
    return Choice(standing, list(Membership.objects.of(request.user).home_first()))
