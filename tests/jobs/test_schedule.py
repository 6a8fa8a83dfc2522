from jobs import tasks
from jobs.schedule import SCHEDULE
from mlplatform.celery import app


def test_every_line_starts_a_task_that_exists():
    assert tasks
    for line in SCHEDULE.values():
        assert line["task"] in app.tasks


def test_every_task_is_started():
    started = {line["task"] for line in SCHEDULE.values()}

    assert started == {name for name in app.tasks if name.startswith("jobs.tasks.")}


def test_every_line_expires():
    assert all(line["options"]["expires"] > 0 for line in SCHEDULE.values())
