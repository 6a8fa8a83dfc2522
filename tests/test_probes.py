"""/readyz and /health say which fences this kernel gives, and how the hosts are."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_readyz_names_the_fences():
    answer = Client().get("/readyz").json()

    assert answer["status"] == "ok"
    assert answer["runner"]["fences"]["seccomp"] is True
    assert {"landlock", "uid_drop", "broken", "complete"} <= answer["runner"]["fences"].keys()


def test_readyz_is_not_put_out_of_service_by_a_runner_that_is_away(settings):
    settings.RUNNER_SOCKET = "/nonexistent/runner.sock"
    response = Client().get("/readyz")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["runner"]["status"] == "error"


def test_health_sums_the_hosts_up_and_names_nobody():
    runner = Client(headers={"host": "localhost"}).get("/health").json()["runner"]

    assert runner["status"] == "ok"
    assert runner["memory_budget"] > 0
    assert runner["libraries"]["scikit-learn"]
    assert {"hosts", "replicated", "parked", "loads", "children", "busy_cores"} <= runner.keys()
    assert "graph:" not in str(runner)
