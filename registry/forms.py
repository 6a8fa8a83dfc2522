"""What the registry's pages send."""

from django import forms


class PromotionForm(forms.Form):
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)


class RefusalForm(forms.Form):
    """An operator's, about versions in quarantine."""

    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The uploader reads it.",
    )
