"""
* AccountsError
  - EmailTaken             409  somebody signed up with this address
  - UnacceptablePassword   400  too short, too long, too common, …
  - UnknownOrganization    404  no such organization, or you are not a member
  - NoOrganization         403  the account belongs to no organization
  - MailUnavailable        503  the mail server does not take our mail
  - SoleOwner              409  deleting the account would leave organizations without owner
  - ResetKeyInvalid        400  the link of a password reset is forged, old or used
  - EmailNotConfirmed      403  where addresses must be confirmed, this one is not yet
  - SecondFactorNeeded     401  the password is right, the code is missing or wrong
  - RateLimited            429  more requests than a minute has for this key, person or address
  - TooManyAttempts        429  sign-ins that failed; the next one has to wait
  - QuotaExceeded          429  more rows than a month has for this key or organization
  - UnrestrictableKey      400  a key with the scope admin, restricted to models
  - KeyEnded               409  a revoked or expired key cannot be rolled
  - ForeignOrigin          403  a cookie came from a page of somebody else's
  - MemberNotFound         404  nobody of this id is in the organization
  - RoleOutOfReach         403  your role may not give or take this one
  - LastOwner              409  an organization keeps an owner
  - AlreadyMember          409  who is invited is in the organization
  - InvitationVoid         404  used, withdrawn, too old, or never made
  - InvitationForAnother   403  you are signed in with another address than was invited
  - TooMany                409  invitations that wait, or organizations of one person
"""

from http import HTTPStatus

from mlplatform.foundation.errors import Problem


class AccountsError(Problem):
    pass


class EmailTaken(AccountsError):
    status = HTTPStatus.CONFLICT
    code = "email_taken"
    title = "The e-mail address is taken"


class UnacceptablePassword(AccountsError):
    status = HTTPStatus.BAD_REQUEST
    code = "unacceptable_password"
    title = "The password is not acceptable"


class UnknownOrganization(AccountsError):
    status = HTTPStatus.NOT_FOUND
    code = "unknown_organization"
    title = "There is no such organization"


class NoOrganization(AccountsError):
    status = HTTPStatus.FORBIDDEN
    code = "no_organization"
    title = "The account belongs to no organization"


class MailUnavailable(AccountsError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "mail_unavailable"
    title = "The mail could not be sent"


class SoleOwner(AccountsError):
    status = HTTPStatus.CONFLICT
    code = "sole_owner"
    title = "Organizations would be left without an owner"


class ResetKeyInvalid(AccountsError):
    status = HTTPStatus.BAD_REQUEST
    code = "reset_key_invalid"
    title = "The key of the password reset does not work"


class EmailNotConfirmed(AccountsError):
    status = HTTPStatus.FORBIDDEN
    code = "email_not_confirmed"
    title = "The e-mail address is not confirmed"


class SecondFactorNeeded(AccountsError):
    status = HTTPStatus.UNAUTHORIZED
    code = "second_factor_needed"
    title = "A code of the second factor is needed"


class RateLimited(AccountsError):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limited"
    title = "Too many requests"


class TooManyAttempts(AccountsError):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_attempts"
    title = "Too many failed attempts"


class QuotaExceeded(AccountsError):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "quota_exceeded"
    title = "The month's predictions are used up"


class ForeignOrigin(AccountsError):
    status = HTTPStatus.FORBIDDEN
    code = "foreign_origin"
    title = "The request comes from somebody else's page"


class UnrestrictableKey(AccountsError):
    status = HTTPStatus.BAD_REQUEST
    code = "unrestrictable_key"
    title = "The key cannot be restricted so"


class KeyEnded(AccountsError):
    status = HTTPStatus.CONFLICT
    code = "key_ended"
    title = "The key works no more"


class MemberNotFound(AccountsError):
    status = HTTPStatus.NOT_FOUND
    code = "member_not_found"
    title = "There is no such member"


class RoleOutOfReach(AccountsError):
    status = HTTPStatus.FORBIDDEN
    code = "role_out_of_reach"
    title = "Your role does not reach that far"


class LastOwner(AccountsError):
    status = HTTPStatus.CONFLICT
    code = "last_owner"
    title = "An organization keeps an owner"


class AlreadyMember(AccountsError):
    status = HTTPStatus.CONFLICT
    code = "already_member"
    title = "They are a member already"


class InvitationVoid(AccountsError):
    status = HTTPStatus.NOT_FOUND
    code = "invitation_void"
    title = "The invitation is void"


class InvitationForAnother(AccountsError):
    status = HTTPStatus.FORBIDDEN
    code = "invitation_for_another"
    title = "The invitation is for somebody else"


class TooMany(AccountsError):
    status = HTTPStatus.CONFLICT
    code = "too_many"
    title = "There are too many already"
