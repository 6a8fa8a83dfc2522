"""`{{ moment|ago }}`: a time as people say it, with the exact one in its title."""

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.timezone import localtime, now

register = template.Library()


@register.filter
def ago(moment: datetime) -> SafeString:
    exact = localtime(moment)
    is_recent = (now() - moment).total_seconds() < 60
    said = "just now" if is_recent else f"{timesince(moment, depth=1)} ago"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        exact.strftime("%Y-%m-%d %H:%M:%S %Z"),
        said,
    )
