"""The beat table: what runs how often, and why. Times are UTC.

A line that could not run in time expires instead of piling up: its next one
does the same work.
"""

from typing import Any

from celery.schedules import crontab

SCHEDULE: dict[str, dict[str, Any]] = {
    # A lost message delays an upload by this long at most.
    "request waiting admissions": {
        "task": "jobs.tasks.request_waiting_admissions",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    # What a process could not announce because Redis was away for it: each twice.
    "republish generations": {
        "task": "jobs.tasks.republish_generations",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    # Costs a question to the runner and a query while nothing has changed; after an upgrade no
    # champion shall answer wrongly for long.
    "replay golden examples": {
        "task": "jobs.tasks.replay_golden_examples",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    # Seven days ahead, so that a week without beat is harmless. The drainer makes them too.
    "make prediction partitions": {
        "task": "jobs.tasks.make_prediction_partitions",
        "schedule": crontab(hour="1", minute="7"),
        "options": {"expires": 3600},
    },
    # After the new ones are made: retention never leaves the log without a day to write to.
    "drop old predictions": {
        "task": "jobs.tasks.drop_old_predictions",
        "schedule": crontab(hour="2", minute="17"),
        "options": {"expires": 3600},
    },
    # What killed processes left half-written.
    "sweep incoming files": {
        "task": "jobs.tasks.sweep_incoming",
        "schedule": crontab(minute="47"),
        "options": {"expires": 3600},
    },
    "flush expired tokens": {
        "task": "jobs.tasks.flush_expired_tokens",
        "schedule": crontab(hour="3", minute="27"),
        "options": {"expires": 3600},
    },
}
