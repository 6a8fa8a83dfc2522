"""People, the organizations they work in, and the keys of their programs."""

from datetime import datetime, timedelta
from typing import Any, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, OuterRef, Q, Subquery
from django.db.models.functions import Lower
from django.utils import timezone

from accounts import emails, generation, passwords
from accounts.audit_events import AuditEvent as AuditEvent  # Django looks for models here
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


class User(AbstractBaseUser, PermissionsMixin):
    """A person. `is_staff` and `is_superuser` are for operators of the platform only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField("e-mail address", max_length=emails.MAX_LENGTH)
    full_name = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("operator", default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

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
    # See accounts.generation.
    generation = models.BigIntegerField(default=0, db_default=0, editable=False)
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


class MembershipQuerySet(models.QuerySet):
    def of(self, user: User) -> Self:
        return self.filter(user=user).select_related("organization")

    def home_first(self) -> Self:
        """One's own personal organization, then the others in the order of joining."""
        own = Q(organization__is_personal=True, role=Role.OWNER)
        is_home = ExpressionWrapper(own, output_field=models.BooleanField())
        return self.order_by(is_home.desc(), "id")


class Membership(models.Model):
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


class APIKey(models.Model):
    """A program's way in. The secret is not here: only where to look, and what it hashes to."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="api_keys"
    )
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
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
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="api_key_expires_after_it_was_made",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (mlp_live_{self.prefix}_…)"

    def revoke(self, *, at: datetime) -> None:
        """For good; a second time changes nothing."""
        if self.revoked_at is None:
            self.revoked_at = at
            with transaction.atomic():
                self.save(update_fields=["revoked_at"])
                generation.bump(self.organization)

    def mark_used(self, *, at: datetime) -> None:
        """Write the last use, at most once a minute."""
        if self.last_used_at is None or at - self.last_used_at >= LAST_USE_STEP:
            self.last_used_at = at
            self.save(update_fields=["last_used_at"])
