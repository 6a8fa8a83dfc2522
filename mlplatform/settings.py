"""All settings, from the environment. `.env.example` tells what each is for."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate
from whitenoise.compress import Compressor

from mlplatform.browser_policy import CONTENT_SECURITY_POLICY as CONTENT_SECURITY_POLICY
from mlplatform.browser_policy import PERMISSIONS_POLICY as PERMISSIONS_POLICY
from mlplatform.enum_names import ENUM_NAMES
from mlplatform.reliable_work import RELIABLE_WORK

env = Env(eager=False)

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_env(BASE_DIR / ".env", recurse=False)

VERSION = "0.1.0"

_positive = validate.Range(min=1)

# The one address the platform is reached at: hosts, origins, cookies and links follow from it.
SITE_URL = env.str(
    "SITE_URL",
    default="http://localhost:8000",
    validate=validate.URL(schemes={"http", "https"}, require_tld=False),
).rstrip("/")
DEBUG = env.bool("DEBUG", default=False)
ALLOW_INSECURE_HTTP = env.bool("ALLOW_INSECURE_HTTP", default=False)
SECRET_KEY = env.str("SECRET_KEY", validate=validate.Length(min=32))
JWT_SIGNING_KEY = env.str("JWT_SIGNING_KEY", validate=validate.Length(min=32))
# Tokens signed by these are accepted as well: for a week after the key was changed.
JWT_SIGNING_KEY_PREVIOUS = env.list(
    "JWT_SIGNING_KEY_PREVIOUS", [], validate=lambda keys: [validate.Length(min=32)(k) for k in keys]
)

_site = urlsplit(SITE_URL)
_is_https = _site.scheme == "https"
ALLOWED_HOSTS = [_site.hostname, "localhost", "127.0.0.1", "[::1]", *env.list("ALLOWED_HOSTS", [])]
CSRF_TRUSTED_ORIGINS = [SITE_URL]
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", [])
CORS_URLS_REGEX = r"^/api/.*$"
CORS_EXPOSE_HEADERS = ["X-Request-Id", "X-Cache", "Retry-After"]
CORS_EXPOSE_HEADERS += [f"RateLimit-{part}" for part in ("Limit", "Remaining", "Reset")]

# Where artifacts, the prediction-log spool and collected static files live.
DATA_DIR = BASE_DIR / env.path("DATA_DIR", default=Path(".data"))
STATIC_ROOT = DATA_DIR / "static"
SPOOL_DIR = Path(env.str("SPOOL_DIR", default="") or DATA_DIR / "spool")
ARTIFACT_CACHE_DIR = Path(env.str("ARTIFACT_CACHE_DIR", default="") or DATA_DIR / "artifact-cache")
DRAIN_FLAG = Path(env.str("DRAIN_FLAG", default="") or DATA_DIR / "draining")

INSTALLED_APPS = [
    "mlplatform.apps.PlatformConfig",
    "jobs.apps.JobsConfig",
    "inference.apps.InferenceConfig",
    "registry.apps.RegistryConfig",
    "accounts.apps.AccountsConfig",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "corsheaders",
    "csp",
    "js_lib_bootstrap5",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
]

MIDDLEWARE = [
    "mlplatform.middleware.SecurityHeadersMiddleware",  # first: on every answer
    "mlplatform.health.ProbeMiddleware",  # before all that reads the Host: probes come with any
    "mlplatform.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "mlplatform.middleware.LooserPolicyMiddleware",
    "mlplatform.middleware.BodyLimitMiddleware",  # before whatever reads a body
    "accounts.throttling.RateLimitHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.impersonation.ImpersonationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "mlplatform.middleware.ProblemPageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.TimeZoneMiddleware",
]

ROOT_URLCONF = "mlplatform.urls"
WSGI_APPLICATION = "mlplatform.wsgi.application"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.reader",
            ],
        },
    },
]

# --- stores -----------------------------------------------------------------

# How long a web request waits for PostgreSQL before it answers 503.
DATABASE_DEADLINE_SECONDS = env.float("DATABASE_DEADLINE_SECONDS", default=2.0)
DATABASES = {
    "default": {
        **env.dj_db_url("DATABASE_URL"),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # PgBouncer in transaction mode
    }
}
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        "connect_timeout": 2,
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 5000,
        "options": "-c statement_timeout=60000 -c lock_timeout=5000"
        " -c idle_in_transaction_session_timeout=60000",
    }
)

REDIS_URL = env.str("REDIS_URL")
# By default the same server, another database: two pools, so their time-outs stay apart.
CACHE_URL = env.str("CACHE_URL", default="") or (
    f"{REDIS_URL.split('?')[0]}?db=1"
    if REDIS_URL.startswith("unix://")
    else f"{REDIS_URL.rstrip('/').rsplit('/', 1)[0] if REDIS_URL.count('/') > 2 else REDIS_URL}/1"
)
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "django",
        "OPTIONS": {
            # Not the default pickle: who can write to Redis could run code here.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            "SOCKET_TIMEOUT": 0.5,
        },
    }
}

STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": DATA_DIR / "storage",
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if bucket := env.str("S3_BUCKET", default=""):
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": env.str("S3_ENDPOINT_URL", default="") or None,
            "region_name": env.str("S3_REGION", default="") or None,
            "access_key": env.str("S3_ACCESS_KEY", default="") or None,
            "secret_key": env.str("S3_SECRET_KEY", default="") or None,
            "default_acl": None,
            "file_overwrite": True,  # names are digests: the same name is the same bytes
        },
    }

# --- models and predictions --------------------------------------------------

RUNNER_SOCKET = env.str("RUNNER_SOCKET", default="") or str(DATA_DIR / "runner.sock")
# Of all models together; 0 is half of the machine's. run.py and compose hand it to the runner.
RUNNER_MEMORY_BYTES = env.int("RUNNER_MEMORY_BYTES", 0, validate=validate.Range(min=0))
# Likewise handed on: "yes" opens models though a fence of the sandbox is missing.
ALLOW_INCOMPLETE_SANDBOX = env.str(
    "ALLOW_INCOMPLETE_SANDBOX", "no", validate=validate.OneOf(["yes", "no"])
)
MAX_ARTIFACT_BYTES = env.int("MAX_ARTIFACT_BYTES", default=500 * 2**20)
MAX_SAMPLE_BYTES = env.int("MAX_SAMPLE_BYTES", default=10 * 2**20)
ADMISSION_DEADLINE_SECONDS = env.float("ADMISSION_DEADLINE_SECONDS", default=60.0)
# What becomes of a file with a finding that no rule of an operator names, by its severity.
_verdict = validate.OneOf(["open", "quarantine", "reject"])
SCAN_POLICY = {
    "dangerous": env.str("SCAN_DANGEROUS", default="reject", validate=_verdict),
    "unknown": env.str("SCAN_UNKNOWN", default="open", validate=_verdict),
}
PREDICT_DEADLINE_SECONDS = env.float("PREDICT_DEADLINE_SECONDS", default=10.0)
LOAD_DEADLINE_SECONDS = env.float("LOAD_DEADLINE_SECONDS", default=20.0)
# Of models whose owner wants some payloads in the log: this share of the requests.
PAYLOAD_SAMPLE = env.float("PAYLOAD_SAMPLE", 0.1, validate=validate.Range(min=0, max=1))
# Whether an answered prediction must survive a crash of the whole machine, and what the spool may
# take while PostgreSQL is away; then predictions are refused, or answered without a log line.
SPOOL_FSYNC = env.bool("SPOOL_FSYNC", default=False)
SPOOL_MAX_BYTES = env.int("SPOOL_MAX_BYTES", default=2 * 2**30)
_when_full = validate.OneOf(["refuse", "forget"])
SPOOL_WHEN_FULL = env.str("SPOOL_WHEN_FULL", "refuse", validate=_when_full)
MAX_PREDICT_BYTES = env.int("MAX_PREDICT_BYTES", default=16 * 2**20)
MAX_PREDICT_ROWS = env.int("MAX_PREDICT_ROWS", default=10_000)
PREDICTION_CACHE_SECONDS = env.int("PREDICTION_CACHE_SECONDS", default=3600)
PREDICTION_RETENTION_DAYS = env.int("PREDICTION_RETENTION_DAYS", default=90)
# Of every other request. Django reads a body as far as its Content-Length says, so this is asked.
MAX_BODY_BYTES = env.int("MAX_BODY_BYTES", default=2**20)
DATA_UPLOAD_MAX_MEMORY_SIZE = max(MAX_BODY_BYTES, MAX_PREDICT_BYTES)
FILE_UPLOAD_MAX_MEMORY_SIZE = 2**20
FILE_UPLOAD_PERMISSIONS = 0o600

# --- limits ------------------------------------------------------------------

RATE_LIMIT_PER_MINUTE = env.int("RATE_LIMIT_PER_MINUTE", 100, validate=_positive)
ANONYMOUS_LIMIT_PER_MINUTE = env.int("ANONYMOUS_LIMIT_PER_MINUTE", 60, validate=_positive)
SIGN_IN_LIMIT_PER_MINUTE = env.int("SIGN_IN_LIMIT_PER_MINUTE", 20, validate=_positive)
# How many processes share a limit while Redis cannot count for all.
WEB_WORKERS = env.int("WEB_WORKERS", default=2, validate=_positive)
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0, validate=validate.Range(min=0))
ACCESS_STALE_SECONDS = env.float("ACCESS_STALE_SECONDS", default=60.0)

# --- people ------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.EmailBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"]  # 12 rounds
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "accounts.passwords.MaximumLengthValidator"}]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

# django-allauth: the pages below /accounts/.
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.forms.SignInForm",
    "signup": "accounts.forms.SignUpForm",
    "add_email": "accounts.forms.ChangeEmailForm",
    "reset_password": "accounts.forms.ForgottenPasswordForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
_verification = validate.OneOf(["none", "optional", "mandatory"])
ACCOUNT_EMAIL_VERIFICATION = env.str(
    "ACCOUNT_EMAIL_VERIFICATION", "optional", validate=_verification
)
ACCOUNT_CHANGE_EMAIL = True  # one address each, changed when the new one is confirmed
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_NOTIFICATIONS = ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[mlplatform] "
# How soon the mail is sent again; the other limits are allauth's own, beside ours of `attempts`.
ACCOUNT_RATE_LIMITS = {"confirm_email": "1/30s/key"}
PASSWORD_RESET_TIMEOUT = 3 * 3600
USERSESSIONS_ADAPTER = "accounts.adapter.SessionsAdapter"
MFA_ADAPTER = "accounts.second_factor.SecondFactorAdapter"
MFA_FORMS = {
    "add_webauthn": "accounts.passkey_forms.AddForm",
    "login_webauthn": "accounts.passkey_forms.SignInForm",
    "authenticate_webauthn": "accounts.passkey_forms.SecondFactorForm",
    "reauthenticate_webauthn": "accounts.passkey_forms.AskAgainForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "mlplatform"
MFA_TOTP_TOLERANCE = 1  # 30 seconds: telephones' clocks
# Browsers give passkeys to http on localhost only, so this opens no network to them.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _is_https
# Where mail may be missing, who cannot confirm an address still gets a second factor.
MFA_ALLOW_UNVERIFIED_EMAIL = ACCOUNT_EMAIL_VERIFICATION != "mandatory"

# --- mail --------------------------------------------------------------------

# console: mails are printed into the log of the web process.
_mail = env.dj_email_url("EMAIL_URL", default="console:")
if "EMAIL_BACKEND" not in _mail:
    raise ImproperlyConfigured("EMAIL_URL begins with submission:, smtp:, file: or console:.")
globals().update(_mail)
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="") or f"mlplatform@{_site.hostname}"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# Browsers take a __Host- cookie from this very host over https only: no subdomain can plant one.
_host_only = "__Host-" if _is_https else ""
SESSION_COOKIE_NAME = f"{_host_only}sessionid"
CSRF_COOKIE_NAME = f"{_host_only}csrftoken"
SECURE_SSL_REDIRECT = _is_https
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|startupz)$"]
SECURE_HSTS_SECONDS = 31_536_000 if _is_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _is_https
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "mlplatform.error_pages.csrf_failure"

# --- API ---------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.APIKeyAuthentication",
        "accounts.authentication.BearerJWTAuthentication",
        "accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["mlplatform.wire.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["mlplatform.wire.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "mlplatform.api.Pages",
    "DEFAULT_SCHEMA_CLASS": "mlplatform.api_schema.ProblemAutoSchema",
    "EXCEPTION_HANDLER": "mlplatform.api.exception_handler",
    "DEFAULT_VERSIONING_CLASS": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_FORMATTER_CLASS": "mlplatform.api.ProblemFormatter",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "CHECK_REVOKE_TOKEN": True,  # a changed password ends every token
    "UPDATE_LAST_LOGIN": False,
    "ALGORITHM": "HS256",
    "USER_ID_FIELD": "id",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "mlplatform",
    "DESCRIPTION": "Upload a trained model, get an authenticated, versioned REST endpoint.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": ENUM_NAMES,
}
UNFOLD = {"SITE_TITLE": "mlplatform operations", "SITE_HEADER": "mlplatform operations"}

# --- background work ----------------------------------------------------------

CELERY_BROKER_URL = (
    f"redis+socket://{REDIS_URL.removeprefix('unix://').replace('?db=', '?virtual_host=')}"
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
globals().update(RELIABLE_WORK)

# --- language, time, logs -------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "static/"
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
# Maps are for debuggers only, and compressing them takes most of the time of a first start.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
STATICFILES_DIRS = [BASE_DIR / "static"]

LOG_FORMAT = env.str("LOG_FORMAT", default="json", validate=validate.OneOf(["json", "console"]))
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING_CONFIG = None  # mlplatform.logs.configure, called by PlatformConfig

env.seal()
