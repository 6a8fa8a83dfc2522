"""
* AccountsError
  - EmailTaken             409  somebody signed up with this address
  - UnacceptablePassword   400  too short, too long, too common, …
  - UnknownOrganization    404  no such organization, or you are not a member
  - NoOrganization         403  the account belongs to no organization
  - MailUnavailable        503  the mail server does not take our mail
  - SecondFactorNeeded     401  the password is right, the code is missing or wrong
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


class SecondFactorNeeded(AccountsError):
    status = HTTPStatus.UNAUTHORIZED
    code = "second_factor_needed"
    title = "A code of the second factor is needed"
