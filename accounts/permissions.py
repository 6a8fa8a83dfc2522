"""DRF permissions, named for what they allow. The table is `accounts.roles`."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import APIKey
from accounts.roles import Capability
from accounts.tenancy import standing_of


class _Can(BasePermission):
    """Somebody is signed in, their role allows it and, where a key was used, its scopes too."""

    capability: Capability

    def has_permission(self, request: Request, view: APIView) -> bool:
        return (
            request.user.is_authenticated and self.capability in standing_of(request).capabilities
        )


class IsPerson(BasePermission):
    """Signed in by password or session: a key does not change the account of its maker."""

    message = "An API key may not do this. Sign in with your password."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.is_authenticated and not isinstance(request.auth, APIKey)


class CanRead(_Can):
    capability = Capability.READ
    message = "Reading needs the scope models:read."


class CanPredict(_Can):
    capability = Capability.PREDICT
    message = "Predicting needs the role developer, and for a key the scope predict."


class CanRunJobs(_Can):
    capability = Capability.RUN_JOBS
    message = "Batch jobs need the role developer, and for a key the scope jobs."


class CanDeploy(_Can):
    capability = Capability.DEPLOY
    message = "Deploying needs the role developer, and for a key the scope models:write."


class CanManageKeys(_Can):
    capability = Capability.MANAGE_KEYS
    message = "A key manages keys only with the scope admin."


class CanSeePeople(_Can):
    capability = Capability.SEE_PEOPLE
    message = "A key sees the organization's people only with the scope admin."


class CanAdminister(_Can):
    capability = Capability.ADMINISTER
    message = "This needs the role admin, and for a key the scope admin."


class CanOwn(_Can):
    capability = Capability.OWN
    message = "Only an owner may do this, signed in and not by a key."
