"""How Celery keeps work from being lost or done for too long. Constants for the settings."""

RELIABLE_WORK = {
    # Our rows are the truth: no result backend, and the sweeper repeats a lost message (docs/adr).
    "CELERY_RESULT_BACKEND": None,
    "CELERY_TASK_IGNORE_RESULT": True,
    "CELERY_TASK_ACKS_LATE": True,
    "CELERY_TASK_REJECT_ON_WORKER_LOST": True,
    "CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT": True,
    "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,
    "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP": True,
    "CELERY_BROKER_CONNECTION_MAX_RETRIES": None,
    "CELERY_BROKER_TRANSPORT_OPTIONS": {
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": True,
        "queue_order_strategy": "priority",
    },
    "CELERY_TASK_PUBLISH_RETRY": False,
    "CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT": 20,
    "CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE": True,
    "CELERY_TASK_SOFT_TIME_LIMIT": 240,  # an admission may take two deadlines and some
    "CELERY_TASK_TIME_LIMIT": 270,
    "CELERY_WORKER_MAX_TASKS_PER_CHILD": 500,
    "CELERY_WORKER_MAX_MEMORY_PER_CHILD": 1_500_000,  # KiB
    "CELERY_TASK_SERIALIZER": "json",
    "CELERY_ACCEPT_CONTENT": ["json"],
    "CELERY_TASK_DEFAULT_QUEUE": "default",
    "CELERY_TASK_ROUTES": {
        "registry.tasks.*": {"queue": "admission"},
        "jobs.tasks.*": {"queue": "maint"},
    },
    "CELERY_WORKER_HIJACK_ROOT_LOGGER": False,
}
