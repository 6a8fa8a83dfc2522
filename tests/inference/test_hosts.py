"""Predictions of models that crash, hang or raise, and of hosts that come and go."""

import sys
import threading
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
from django.conf import settings
from django.utils.timezone import now
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from inference import connections, errors, hosts
from registry import admission
from registry.errors import ArtifactMissing
from registry.rows import Rows
from registry.sandbox import Runner
from registry.serving import served
from tests.factories import make_ready_version, make_version

DIES, HANGS, RAISES = 13.5, 17.5, 19.5


def springs(rows):
    value = rows[0][0]
    if value == DIES:
        # Not imported above: a file that names it is not even opened.
        __import__("os")._exit(3)
    while value == HANGS:
        pass
    if value == RAISES:
        raise ValueError("this value is cursed")
    return rows


@pytest.fixture
def trap(alice, organization, runner):
    """y = 2x, but for three values of x."""
    model = make_pipeline(FunctionTransformer(springs), LinearRegression())
    model.fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0])
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    version = make_version(organization, alice, name="trap", content=cloudpickle.dumps(model))
    admission.admit(version.pk, at=now())
    version.refresh_from_db()
    assert version.status == version.Status.READY, version.reason
    return served(version)


@pytest.fixture
def linear(alice, organization, runner):
    model = LinearRegression().fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0])
    return served(make_ready_version(organization, alice, name="linear", model=model))


def ask(version, *values):
    rows = Rows([np.array([[value] for value in values])], len(values))
    return hosts.predict(version, rows, ("predict",))["predict"].tolist()


def test_it_works(trap, linear):
    assert (trap.host_kind, linear.host_kind) == ("estimator", "graph")
    assert ask(trap, 21) == [pytest.approx(42)]
    assert ask(linear, 21, 2) == pytest.approx([42, 4])


def test_a_connection_is_used_again(linear):
    ask(linear, 1)
    first = hosts.pool.take(linear.host_key)
    hosts.pool.give_back(linear.host_key, first)
    ask(linear, 2)

    assert hosts.pool.take(linear.host_key) is first
    first.close()


def test_a_model_that_raises_is_told_and_lives_on(trap):
    with pytest.raises(errors.ModelRaised) as told:
        ask(trap, RAISES)

    assert told.value.status == 422
    assert "this value is cursed" in told.value.detail
    assert ask(trap, 1) == [pytest.approx(2)]


def test_a_model_that_dies_is_told_and_comes_back(trap):
    with pytest.raises(errors.ModelCrashed) as told:
        ask(trap, DIES)

    assert (told.value.status, told.value.retry_after) == (503, 5)
    assert ask(trap, 1) == [pytest.approx(2)]


def test_a_model_that_hangs_is_told_and_comes_back(trap, settings):
    ask(trap, 1)
    settings.PREDICT_DEADLINE_SECONDS = 0.5
    with pytest.raises(errors.ModelTimedOut) as told:
        ask(trap, HANGS)

    assert told.value.status == 504
    settings.PREDICT_DEADLINE_SECONDS = 10
    assert ask(trap, 1) == [pytest.approx(2)]


def test_a_host_that_has_gone_since_is_replaced(linear, settings):
    ask(linear, 1)
    host = hosts.pool.take(linear.host_key)
    host.kill()
    hosts.pool.give_back(linear.host_key, host)

    assert ask(linear, 1) == [pytest.approx(2)]


def test_a_dying_model_does_not_touch_the_others(trap, linear):
    ask(linear, 1)
    connection = hosts.pool.take(linear.host_key)
    hosts.pool.give_back(linear.host_key, connection)
    with pytest.raises(errors.ModelCrashed):
        ask(trap, DIES)

    assert ask(linear, 1) == [pytest.approx(2)]
    assert hosts.pool.take(linear.host_key) is connection
    connection.close()


def test_many_first_requests(linear, runner):
    answers = []
    threads = [
        threading.Thread(target=lambda value=value: answers.append((value, ask(linear, value))))
        for value in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [(value, [pytest.approx(2 * value)]) for value in range(16)]


def test_without_the_runner(linear, settings):
    hosts.pool.clear()
    settings.RUNNER_SOCKET = "/nonexistent/runner.sock"
    settings.PREDICT_DEADLINE_SECONDS = 0.2

    with pytest.raises(errors.RunnerUnavailable):
        ask(linear, 1)


def test_the_pool_closes_the_connections_used_least():
    pool = connections.Pool(max_idle=2)
    runner = Runner(settings.RUNNER_SOCKET)
    found = {key: runner.host(f"graph:{key}", kind="graph") for key in ("old", "new", "last")}
    for key, connection in found.items():
        pool.give_back(key, connection)

    assert pool.take("old") is None
    assert found["old"]._connection.fileno() == -1
    assert pool.take("new") is found["new"]
    pool.give_back("new", found["new"])
    pool.clear()
    assert found["last"]._connection.fileno() == -1


def test_a_model_whose_bytes_are_gone(linear):
    missing = replace(linear, served_digest="0" * 64)

    with pytest.raises(ArtifactMissing):
        ask(missing, 1)
    assert ask(linear, 1) == [pytest.approx(2)]
