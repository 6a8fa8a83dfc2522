"""Steps of an admission in words: `{{ step.name|step_label }}`, `{{ step|step_time }}`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

register = template.Library()

LABELS = {
    "received": "Received and stored",
    "scanned": "Scanned, unopened",
    "opened": "Opened in the sandbox",
    "signature": "Inputs and outputs read",
    "compiled": "Compiled to a graph",
    "sample": "Your sample answered",
    "verified": "Graph and original compared",
}


@register.filter
def step_label(name: str) -> str:
    return LABELS.get(name, name)


@register.filter
def step_time(step: Mapping[str, Any]) -> SafeString | str:
    """When it began, and how long it took."""
    if not step["started_at"]:
        return ""
    began = localtime(datetime.fromisoformat(step["started_at"]))
    took = "" if step["seconds"] is None else f", {step['seconds']:.2f} s"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>{}',
        began.isoformat(timespec="milliseconds"),
        began.strftime("%Y-%m-%d %H:%M:%S %Z"),
        began.strftime("%H:%M:%S"),
        took,
    )
