"""Forms of the organization's pages."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.audit_verbs import SENTENCES
from accounts.emails import MAX_LENGTH, canonical_email
from accounts.names import canonical_name
from accounts.roles import Role


class OrganizationNameField(forms.CharField):
    def clean(self, value: Any) -> str:
        try:
            return canonical_name(super().clean(value))
        except ValueError as refused:
            raise ValidationError(str(refused), code="unprintable") from refused


class RenameForm(forms.Form):
    name = OrganizationNameField(label="Name of the organization", max_length=150)


class NewOrganizationForm(forms.Form):
    # Another name of the field: both forms stand on one page.
    new_name = OrganizationNameField(label="Name of the new organization", max_length=150)


class RoleForm(forms.Form):
    """Lists only roles that the actor may give; the domain decides again."""

    role = forms.ChoiceField()

    def __init__(self, *args: Any, roles: frozenset[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["role"].choices = [(r.value, r.value) for r in Role if r in roles]


class InviteForm(RoleForm):
    email = forms.EmailField(label="E-mail address", max_length=MAX_LENGTH)
    field_order = ["email", "role"]

    def clean_email(self) -> str:
        return canonical_email(self.cleaned_data["email"])


class HeirForm(forms.Form):
    user_id = forms.UUIDField()


class AuditFilterForm(forms.Form):
    verb = forms.ChoiceField(
        label="What",
        required=False,
        choices=[("", "everything"), *((verb, verb) for verb in sorted(SENTENCES))],
    )
    actor = forms.CharField(label="Who", max_length=254, required=False)
    since = forms.DateTimeField(
        label="From", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateTimeField(
        label="Until before", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
