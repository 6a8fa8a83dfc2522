"""The operators' word on what files import. The rows; `registry.scan_policy` applies them."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models

_IS_PATTERN = RegexValidator(
    r"^(\*|[^\W\d]\w*(\.[^\W\d]\w*)*(\.\*)?)\Z",
    "Write a name such as posix.system, all names below one such as posix.*, or * for any.",
)


class ImportRule(models.Model):
    """What becomes of a file that imports a name of this pattern. The most specific rule holds."""

    class Verdict(models.TextChoices):
        ALLOW = "allow", "allow: no reason to stop"
        QUARANTINE = "quarantine", "quarantine: an operator decides"
        DENY = "deny", "deny: reject the version"

    pattern = models.CharField(
        max_length=200,
        unique=True,
        validators=[_IS_PATTERN],
        help_text="posix.system, posix.* or *",
    )
    verdict = models.CharField(max_length=10, choices=Verdict)
    note = models.CharField(
        max_length=300, blank=True, help_text="the uploader reads it, so say what to do instead"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pattern"]

    def __str__(self) -> str:
        return f"{self.verdict} {self.pattern}"
