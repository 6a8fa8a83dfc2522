"""Predictions of models that crash, hang or raise, and of hosts that come and go."""

import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
from django.conf import settings
from django.utils.timezone import now
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from inference import connections, errors, hosts, loading
from registry import admission
from registry.errors import ArtifactMissing
from registry.rows import Rows
from registry.sandbox import Runner
from registry.sandbox_errors import ChildDied, NotLoaded
from registry.serving import served
from tests.factories import make_ready_version, make_version
from tests.registry.conftest import REAL, running

DIES, HANGS, RAISES = 13.5, 17.5, 19.5


def springs(rows):
    values = [row[0] for row in rows]  # of whoever is in the batch
    if DIES in values:
        # Not imported above: a file that names it is not even opened.
        __import__("os")._exit(3)
    while HANGS in values:
        pass
    if RAISES in values:
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


def test_answers_are_the_estimators_own_whoever_shares_the_batch(alice, organization, runner):
    table = np.random.default_rng(0).normal(size=(160, 5))
    forest = RandomForestRegressor(30, random_state=0).fit(table, table.sum(axis=1))
    version = make_ready_version(organization, alice, name="forest", model=forest)
    original = replace(
        served(version),
        served_digest=version.digest,
        fmt=version.format,
        host_kind="estimator",
        host_key=f"estimator:{version.pk}",
    )
    answers = {}

    def ask_rows(number):
        rows = Rows([table[10 * number : 10 * number + 10]], 10)
        answers[number] = hosts.predict(original, rows, ("predict",))["predict"].tolist()

    workers = [threading.Thread(target=ask_rows, args=(number,)) for number in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    together = [answer for number in range(16) for answer in answers[number]]
    assert together == forest.predict(table).tolist()


# Hosts that come and go under load ---------------------------------------------------------------


@pytest.fixture
def own_runner(runner, settings, monkeypatch):
    """Start a runner with these options for the test; every request asks it who serves."""
    with ExitStack() as stack:

        def start(*options):
            process = stack.enter_context(running(REAL, *options, env={}))
            hosts.pool.clear()
            settings.RUNNER_SOCKET = process.socket_path
            monkeypatch.setattr(connections, "LEASE_SECONDS", 0.0)
            return process

        yield start
        hosts.pool.clear()


def ask_from_many_threads(versions, *, times, threads=4):
    """Each thread asks each version in turn; what each value was answered with, or the error."""
    answers = []

    def work(number):
        for turn in range(times):
            version, value = versions[turn % len(versions)], number * times + turn
            try:
                answers.append((value, ask(version, value)[0]))
            except errors.InferenceError as error:
                answers.append((value, error))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sorted(answers, key=lambda answer: answer[0])


def doubled(count):
    return [(value, pytest.approx(2 * value)) for value in range(count)]


def test_models_that_evict_one_another_all_answer(trap, linear, own_runner):
    own_runner("--max-hosts", "1")

    assert ask_from_many_threads([trap, linear], times=6, threads=2) == doubled(12)


def test_hosts_are_replaced_without_a_failed_request(trap, own_runner):
    own_runner("--recycle-requests", "7")
    ask(trap, 1)
    first = hosts.pool.take(trap.host_key)
    hosts.pool.give_back(trap.host_key, first)

    assert ask_from_many_threads([trap], times=10) == doubled(40)
    last = hosts.pool.take(trap.host_key)
    assert last.child > first.child
    last.close()


def test_a_restarted_runner_is_found_again(linear, own_runner):
    process = own_runner()
    ask(linear, 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    answers = []
    asking = threading.Thread(
        target=lambda: answers.extend(ask_from_many_threads([linear], times=5))
    )
    asking.start()
    command = [sys.executable, "-I", "-B", str(REAL), "--socket", process.socket_path]
    with subprocess.Popen(command, env={}, stdout=subprocess.PIPE) as again:
        asking.join()
        again.terminate()

    assert answers == doubled(20)


def test_a_runner_that_stays_away_costs_nobody_more_than_its_patience(
    linear, settings, monkeypatch
):
    hosts.pool.clear()
    settings.RUNNER_SOCKET = "/nonexistent/runner.sock"
    monkeypatch.setattr(hosts, "PATIENCE_SECONDS", 0.0)

    for _ in range(3):
        with pytest.raises(errors.RunnerUnavailable) as told:
            ask(linear, 1)
    assert (told.value.status, told.value.retry_after) == (503, 2)


def test_those_beside_a_deadly_request_are_answered(trap):
    ask(trap, 1)
    answers = {}

    def work(value):
        try:
            answers[value] = ask(trap, value)
        except errors.InferenceError as error:
            answers[value] = error.code

    values = [DIES, *range(8)]
    workers = [threading.Thread(target=work, args=(value,)) for value in values]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert answers.pop(DIES) == "model_crashed"
    told = [answer for answer in answers.values() if isinstance(answer, str)]
    # Whoever was in one batch with it both times is told so, and may come again.
    assert set(told) <= {"model_crashed"}
    assert [ask(trap, value) for value in range(8)] == [[pytest.approx(2 * v)] for v in range(8)]


def test_a_graph_that_was_there_when_its_host_died_is_alone_the_next_time(linear):
    asking = hosts._Asking(linear, Rows([np.array([[3.0]])], 1), ("predict",))
    asking._count_death(ChildDied("The model's process ended."))

    assert asking.answer()["predict"].tolist() == [pytest.approx(6)]
    assert ask(linear, 2) == [pytest.approx(4)]
    keys = {one["key"] for one in Runner(settings.RUNNER_SOCKET).status()["children"]}
    assert f"{linear.host_key}:{linear.served_digest[:32]}" in keys
    assert linear.host_key not in keys
    hosts._suspects.clear()


def test_a_model_that_keeps_crashing_is_parked_and_costs_nobody_else(trap, linear):
    for _ in range(2):
        with pytest.raises(errors.ModelCrashed) as told:
            ask(trap, DIES)
    with pytest.raises(errors.ModelParked) as parked:
        ask(trap, 1)

    assert "ended" in told.value.detail
    assert "it ended itself with code 3" in parked.value.detail
    assert parked.value.status == 503
    assert 1 <= parked.value.retry_after <= 5
    assert ask(linear, 1) == [pytest.approx(2)]


# Golden examples ---------------------------------------------------------------------------------


def changed(version):
    """As if the version had answered otherwise when it was admitted."""
    golden = {"input": [1.0], "predict": 17.0}
    return replace(version, golden=golden)


def end_host_of(version):
    host = Runner(settings.RUNNER_SOCKET).host(version.host_key, kind=version.host_kind)
    host.kill()
    host.close()


def test_a_version_that_answers_otherwise_is_kept_out(linear, caplog):
    loading._kept_out.clear()
    end_host_of(linear)
    for _ in range(2):
        with pytest.raises(errors.ModelChanged) as told:
            ask(changed(linear), 1)

    assert (told.value.status, told.value.code) == (503, "model_changed")
    assert [one.msg["event"] for one in caplog.records if one.levelname == "ERROR"] == [
        "model changed"
    ]
    loading._kept_out.clear()
    assert ask(linear, 1) == [pytest.approx(2)]


def test_what_was_loaded_on_trial_answers_nobody(linear):
    loading._kept_out.clear()
    end_host_of(linear)
    with pytest.raises(errors.ModelChanged):
        ask(changed(linear), 1)
    loading._kept_out.clear()
    host = Runner(settings.RUNNER_SOCKET).host(linear.host_key, kind="graph")

    for name in (linear.served_digest, linear.served_digest + loading.ON_TRIAL):
        with pytest.raises(NotLoaded):
            host.predict(name, Rows([np.ones((1, 1))], 1), ("predict",), deadline=5)
    host.close()


def test_a_version_without_a_golden_example_is_served(linear):
    assert ask(replace(linear, golden={}), 1) == [pytest.approx(2)]
