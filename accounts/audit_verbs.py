"""What is audited, and how it reads. A verb that is not here fails a test."""

from collections.abc import Mapping
from typing import Any

# {actor} and {target} are labels of the event; other names stand in its `detail`.
SENTENCES = {
    # accounts
    "account.signed_up": "{actor} signed up",
    "account.signed_in": "{actor} signed in",
    "account.sign_in_failed": "Somebody failed to sign in as {target}",
    "account.signed_out": "{actor} signed out",
    "account.signed_out_everywhere": "{actor} signed out everywhere",
    "account.password_changed": "{actor} changed the password of {target}",
    "account.password_reset": "{actor} reset the password of {target}",
    "account.password_voided": "{actor} demanded a new password of {target}",
    "account.email_changed": "{actor} changed the e-mail address of {target}",
    "account.profile_changed": "{actor} changed the profile of {target}",
    "account.mfa_changed": "{actor} changed the second factor of {target}",
    "account.exported": "{actor} exported the data of {target}",
    "account.deleted": "{actor} deleted the account {target}",
    "account.token_reused": "A refresh token of {target} was used twice; its family was revoked",
    "account.deactivated": "{actor} deactivated {target}",
    "account.reactivated": "{actor} reactivated {target}",
    # organizations and their people
    "organization.created": "{actor} created the organization {target}",
    "organization.renamed": "{actor} renamed the organization from {old} to {new}",
    "member.invited": "{actor} invited {target} as {role}",
    "member.invitation_revoked": "{actor} withdrew the invitation of {target}",
    "member.joined": "{target} joined as {role}",
    "member.role_changed": "{actor} changed the role of {target} from {old} to {new}",
    "member.removed": "{actor} removed {target}",
    "member.left": "{target} left",
    "organization.transferred": "{actor} made {target} the owner",
    # keys
    "key.created": "{actor} created the API key {target}",
    "key.changed": "{actor} changed the API key {target}",
    "key.rolled": "{actor} rolled the API key {target}",
    "key.revoked": "{actor} revoked the API key {target}",
    # models
    "model.described": "{actor} changed the description of {target}",
    "model.deleted": "{actor} took the model {target} out of service",
    "version.uploaded": "{actor} uploaded version {version} of {model}",
    "version.ready": "Version {version} of {model} passed admission",
    "version.rejected": "Version {version} of {model} was rejected: {reason}",
    "version.quarantined": "Version {version} of {model} was put into quarantine: {reason}",
    "version.released": "{actor} released version {version} of {model} from quarantine",
    "version.refused": "{actor} rejected version {version} of {model}: {reason}",
    "version.pinned": "{actor} pinned version {version} of {model} to the original",
    "version.unpinned": "{actor} let the compiled graph answer for version {version} of {model}",
    "version.deprecated": "{actor} deprecated version {version} of {model}",
    "version.archived": "{actor} archived version {version} of {model}",
    "version.restored": "{actor} put version {version} of {model} back into service",
    "version.promoted": "{actor} promoted version {version} of {model} to {alias}",
    "alias.removed": "{actor} removed the alias {alias} of {model}",
    # operators
    "operator.appointed": "{actor} made {target} an operator",
    "operator.changed": "{actor} changed {target} in the administration",
    "operator.added": "{actor} added {target} in the administration",
    "operator.removed": "{actor} removed {target} in the administration",
    "operator.impersonation_started": "{actor} began to act as {target}",
    "operator.impersonation_ended": "{actor} stopped acting as {target}",
    "operator.audit_trimmed": "{actor} removed {count} audit events from before {before}",
}


class _Facts(dict):
    def __missing__(self, name: str) -> str:
        return "?"


def sentence_for(verb: str, facts: Mapping[str, Any]) -> str:
    """The sentence of this verb; a verb from before it was renamed reads as itself."""
    template = SENTENCES.get(verb, "{actor}: " + verb.replace("{", "") + " {target}")
    return template.format_map(_Facts(facts))
