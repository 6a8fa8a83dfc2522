"""`{{ field|control }}`: a form's field as Bootstrap dresses it."""

from django import forms, template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def control(field: BoundField) -> SafeString:
    # allauth repeats the label as placeholder, which vanishes while one types.
    return field.as_widget(attrs={"class": _class_of(field.field.widget), "placeholder": False})


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, forms.CheckboxInput)


def _class_of(widget: forms.Widget) -> str:
    if isinstance(widget, forms.CheckboxInput):
        return "form-check-input"
    return "form-select" if isinstance(widget, forms.Select) else "form-control"
