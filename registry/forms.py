"""What the registry's pages send."""

from django import forms


class PromotionForm(forms.Form):
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)
