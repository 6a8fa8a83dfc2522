"""People, the organizations they work in, and the keys of their programs."""

import secrets
from copy import copy
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, OuterRef, Q, Subquery
from django.db.models.functions import Lower
from django.utils import timezone

from accounts import emails, generation, passwords
from accounts.audit_events import AuditEvent as AuditEvent  # Django looks for models here
from accounts.audit_events import AuditEventQuerySet as AuditEventQuerySet
from accounts.family_rows import TokenFamily as TokenFamily
from accounts.invitation_rows import Invitation as Invitation
from accounts.invitation_rows import InvitationQuerySet as InvitationQuerySet
from accounts.roles import Role
from mlplatform.foundation.uuid7 import uuid7

# How exactly a key's last use is known; every finer step costs a write a request.
LAST_USE_STEP = timedelta(minutes=1)


class UserQuerySet(models.QuerySet):
    def last_seen(self, at: datetime | None) -> Self:
        """Whose last sign-in was at this time; None: who never signed in."""
        return self.filter(last_login__isnull=True) if at is None else self.filter(last_login=at)


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A user without organization: people come in through `sign_up.register`."""
        user = self.model(email=emails.canonical_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=emails.canonical_email(username or ""))


class Theme(models.TextChoices):
    SYSTEM = "system", "as the system has it"
    LIGHT = "light"
    DARK = "dark"


class User(AbstractBaseUser, PermissionsMixin):
    """A person. `is_staff` and `is_superuser` are for operators of the platform only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField("e-mail address", max_length=emails.MAX_LENGTH)
    full_name = models.CharField(max_length=150, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", db_default="UTC")
    theme = models.CharField(
        max_length=10, choices=Theme, default=Theme.SYSTEM, db_default=Theme.SYSTEM
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("operator", default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        constraints = [
            # Stored in canonical form; the second index holds where something writes past it.
            models.UniqueConstraint(fields=["email"], name="user_email_is_unique"),
            models.UniqueConstraint(Lower("email"), name="user_email_is_unique_in_any_case"),
            models.CheckConstraint(condition=~Q(email=""), name="user_has_email"),
            models.CheckConstraint(condition=Q(theme__in=Theme.values), name="user_theme_is_known"),
            models.CheckConstraint(
                condition=Q(deleted_at=None) | Q(is_active=False), name="deleted_user_is_inactive"
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @classmethod
    def normalize_username(cls, username: str) -> str:
        return emails.canonical_email(username)

    def get_full_name(self) -> str:
        return self.full_name or self.email

    def get_short_name(self) -> str:
        return self.full_name.partition(" ")[0] or self.email.partition("@")[0]

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password and passwords.normalised(raw_password))

    def check_password(self, raw_password: str) -> bool:
        if passwords.is_too_long(raw_password):
            return False
        return super().check_password(passwords.normalised(raw_password))

    def change_profile(self, **changes: str) -> None:
        """`full_name`, `time_zone`, `theme`: those that are given."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.save(update_fields=list(changes))

    def anonymise(self, *, at: datetime) -> None:
        """What says who this was goes; the id stays, since logs and others' rows name it."""
        # Not the id, which others know: they could have taken the address before.
        self.email = f"deleted-{secrets.token_hex(16)}@users.invalid"
        self.full_name = ""
        self.time_zone, self.theme = "UTC", Theme.SYSTEM
        self.is_active = self.is_staff = self.is_superuser = False
        self.deleted_at = at
        self.set_unusable_password()
        self.save()

    def make_operator(self) -> None:
        self.is_active = self.is_staff = self.is_superuser = True
        self.save(update_fields=["is_active", "is_staff", "is_superuser"])

    def change_password(self, password: str) -> None:
        """Ends every session, and every token issued so far."""
        self.set_password(password)
        with transaction.atomic():
            self.save(update_fields=["password"])
            generation.bump_for_user(self)

    def deactivate(self) -> None:
        """Nobody signs in as this user any more; sessions, tokens and keys end at once."""
        self.is_active = False
        with transaction.atomic():
            self.save(update_fields=["is_active"])
            generation.bump_for_user(self)

    def reactivate(self) -> None:
        self.is_active = True
        with transaction.atomic():
            self.save(update_fields=["is_active"])
            generation.bump_for_user(self)

    def void_password(self) -> None:
        """Nobody signs in by password until a link from a mail has set another."""
        self.set_unusable_password()
        with transaction.atomic():
            self.save(update_fields=["password"])
            generation.bump_for_user(self)


class Organization(models.Model):
    """The tenant: every model, key and prediction belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=150)
    slug = models.SlugField(max_length=63, unique=True)
    is_personal = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # None: as the platform's settings say. Operators change these.
    rate_limit = models.PositiveIntegerField(
        "requests a minute", null=True, blank=True, help_text="of each key and each person"
    )
    monthly_predictions = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="rows a calendar month (UTC); empty: no limit"
    )
    # See accounts.generation.
    generation = models.BigIntegerField(default=0, db_default=0, editable=False)
    # Not a column: the models that a key restricted to some may see of it (`as_seen_by`).
    only_models: frozenset[UUID] | None = None
    members = models.ManyToManyField(User, through="Membership", related_name="organizations")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(slug__regex=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
                name="organization_slug_fits_a_url",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="organization_has_name"),
        ]

    def __str__(self) -> str:
        return self.slug

    def as_seen_by(self, key: "APIKey") -> "Organization":
        """The organization as far as this key reaches: the registry asks it for `only_models`."""
        if key.only_models is None:
            return self
        seen = copy(self)
        seen.only_models = frozenset(UUID(text) for text in key.only_models)
        return seen

    def retire(self) -> None:
        """Nobody is in it any more: its name, which may be a person's, and its slug are free."""
        self.slug, self.name = f"deleted-{secrets.token_hex(16)}", "Deleted"
        self.save(update_fields=["slug", "name"])

    def rename(self, name: str) -> None:
        self.name = name
        self.save(update_fields=["name"])

    def hand_over(self) -> None:
        """It is nobody's personal one any more."""
        self.is_personal = False
        self.save(update_fields=["is_personal"])


class MembershipQuerySet(models.QuerySet):
    def of(self, user: User) -> Self:
        return self.filter(user=user).select_related("organization")

    def in_organization(self, organization: Organization) -> Self:
        """Everybody, in the order of joining."""
        return self.filter(organization=organization).select_related("user").order_by("id")

    def home_first(self, chosen: str | None = None) -> Self:
        """The chosen organization, one's own personal one, the others in the order of joining."""
        own = Q(organization__is_personal=True, role=Role.OWNER)
        firsts = [own] if chosen is None else [Q(organization=chosen), own]
        wrapped = (ExpressionWrapper(q, output_field=models.BooleanField()) for q in firsts)
        return self.order_by(*(first.desc() for first in wrapped), "id")


class Membership(models.Model):
    """Somebody's role in an organization. Changed by `accounts.members` only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=20, choices=Role)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"], name="one_membership_per_organization"
            ),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="membership_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role}) in {self.organization}"

    def change_role(self, role: str) -> None:
        self.role = role
        self.save(update_fields=["role"])


class APIKeyQuerySet(models.QuerySet):
    def active(self, *, at: datetime) -> Self:
        """Neither revoked nor expired, and made by somebody who may still sign in."""
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=at)
        return self.filter(unexpired, revoked_at__isnull=True, created_by__is_active=True)

    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def made_by(self, user: User) -> Self:
        return self.filter(created_by=user)

    def with_creator_role(self) -> Self:
        """Adds `creator_role`: the maker's role in the key's organization, None after leaving."""
        membership = Membership.objects.filter(
            organization=OuterRef("organization"), user=OuterRef("created_by")
        )
        return self.annotate(creator_role=Subquery(membership.values("role")))

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def revoke(self, *, at: datetime) -> int:
        """Returns how many there were. The caller bumps the organization's generation."""
        return self.filter(revoked_at=None).update(revoked_at=at)


class APIKey(models.Model):
    """A program's way in. The secret is not here: only where to look, and what it hashes to."""

    class Mode(models.TextChoices):
        LIVE = "live"
        TEST = "test"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="api_keys"
    )
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    mode = models.CharField(max_length=4, choices=Mode, default=Mode.LIVE, db_default=Mode.LIVE)
    digest = models.CharField(max_length=64, editable=False)
    # After a roll: what the old secret hashes to, and until when it works beside the new one.
    previous_digest = models.CharField(
        max_length=64, blank=True, default="", db_default="", editable=False
    )
    previous_until = models.DateTimeField(null=True, editable=False)
    scopes = models.JSONField()
    # Ids of the models it may see (they are the registry's rows); None: all of the organization.
    only_models = models.JSONField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    # None: as much as its organization may.
    rate_limit = models.PositiveIntegerField("requests a minute", null=True, blank=True)
    monthly_predictions = models.PositiveBigIntegerField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    last_used_ip = models.GenericIPAddressField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = APIKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=Q(prefix__regex=r"^[0-9A-Za-z]{8}$"),
                name="api_key_prefix_is_eight_characters",
            ),
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="api_key_digest_is_sha256"
            ),
            models.CheckConstraint(condition=~Q(scopes=[]), name="api_key_has_a_scope"),
            models.CheckConstraint(
                condition=Q(previous_digest="") | Q(previous_until__isnull=False),
                name="api_key_knows_how_long_its_old_secret_works",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="api_key_expires_after_it_was_made",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.shown_prefix}_…)"

    @property
    def shown_prefix(self) -> str:
        """How its secret begins."""
        return f"mlp_{self.mode}_{self.prefix}"

    def is_active(self, *, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)

    def change(self, **changes: Any) -> None:
        """Name, scopes, models or limits."""
        for name, value in changes.items():
            setattr(self, name, value)
        with transaction.atomic():
            self.save(update_fields=list(changes))
            generation.bump(self.organization)

    def roll(self, digest: str, *, old_until: datetime) -> None:
        """A new secret; the old one works until then."""
        self.change(digest=digest, previous_digest=self.digest, previous_until=old_until)

    def revoke(self, *, at: datetime) -> None:
        """For good; a second time changes nothing."""
        if self.revoked_at is None:
            self.revoked_at = at
            with transaction.atomic():
                self.save(update_fields=["revoked_at"])
                generation.bump(self.organization)

    def is_use_due(self, *, at: datetime) -> bool:
        return self.last_used_at is None or at - self.last_used_at >= LAST_USE_STEP

    def mark_used(self, *, at: datetime, ip: str | None = None) -> None:
        """Write the last use, at most once a minute."""
        if self.is_use_due(at=at):
            # Remembered first: where the write fails, the next minute tries again.
            self.last_used_at, self.last_used_ip = at, ip
            # Not save(): the row may be gone, which is the gate's to tell.
            APIKey.objects.filter(pk=self.pk).update(last_used_at=at, last_used_ip=ip)
