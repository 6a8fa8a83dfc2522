"""What the registry's pages send."""

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from registry.models import ModelVersion


class PromotionForm(forms.Form):
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)


class VersionChangeForm(forms.Form):
    """The page's `change_version`: one button, one change."""

    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)
    pinned = forms.TypedChoiceField(
        choices=[("true", "true"), ("false", "false")],
        coerce=lambda word: word == "true",
        required=False,
        empty_value=None,
    )
    status = forms.ChoiceField(
        choices=[(name, name) for name in ModelVersion.ADMITTED], required=False
    )


class RefusalForm(forms.Form):
    """An operator's, about versions in quarantine."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="The uploader reads it.",
    )
