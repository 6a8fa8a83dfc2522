"""Hosts come and go: for memory, for age, for demand, for how often they die."""

import os
import signal
import threading
from time import monotonic

import numpy as np
import pytest

from registry.rows import Rows
from registry.runner.children import Child
from registry.runner.parking import Parking
from registry.runner.permits import Permits
from registry.runner.replicas import Replicas
from registry.sandbox import Runner
from registry.sandbox_errors import ChildDied, Parked, RunnerUnavailable
from tests.registry.waiting import eventually

ROWS = Rows([np.ones((1, 1))], 1)
ONES = "def predict(rows, methods): return {'predict': rows.blocks[0][:, 0]}"
DIES = "import os\ndef predict(rows, methods): os._exit(3)"
HEAVY = "ballast = bytearray(b'x') * (100 << 20)\n" + ONES


def ask(host):
    return host.predict("model", ROWS, ["predict"], deadline=5)["predict"].tolist()


def keys(runner):
    return {one["key"] for one in runner.status()["children"]}


# Memory ------------------------------------------------------------------------------------------


def test_hosts_leave_when_all_together_take_too_much(start_runner, load):
    runner = Runner(start_runner("--memory-budget", str(180 << 20)).socket_path)
    for key in ("old", "new"):
        host = runner.host(key, kind="estimator")
        load(host, HEAVY)
        host.close()

    assert eventually(lambda: keys(runner) == {"new"}, seconds=15)
    status = runner.status()
    assert status["memory_budget"] == 180 << 20
    assert 100 << 20 < status["memory"] < 180 << 20


def test_the_host_that_was_used_last_stays_whatever_its_size(start_runner, load):
    runner = Runner(start_runner("--memory-budget", "1").socket_path)
    host = runner.host("only", kind="estimator")
    load(host, HEAVY)

    assert eventually(lambda: runner.status()["memory"] > 100 << 20, seconds=8)
    assert ask(host) == [1.0]
    host.close()


def test_a_host_that_has_grown_is_replaced(start_runner, load):
    runner = Runner(start_runner("--recycle-growth", str(50 << 20)).socket_path)
    host = runner.host("leaks", kind="estimator")
    source = "kept = []\ndef predict(rows, methods):\n kept.append(bytearray(b'x') * (80 << 20))\n"
    load(host, source + " return {'predict': rows.blocks[0][:, 0]}")
    assert eventually(lambda: only(runner)["settled"] is not None)
    ask(host)

    assert eventually(lambda: only(runner)["state"] == "retired", seconds=8)
    assert ask(host) == [1.0]
    newer = runner.host("leaks", kind="estimator", instead_of=host)
    assert newer.child != host.child
    newer.close()


def only(runner):
    (child,) = runner.status()["children"]
    return child


# Leases, recycling -------------------------------------------------------------------------------


def test_a_lease_is_renewed_with_the_same_connection(runner, load):
    host = runner.host("renewed", kind="estimator")
    load(host, ONES)
    ask(host)

    assert runner.host("renewed", kind="estimator", instead_of=host) is host
    assert host.requests == 0
    assert [one["requests"] for one in runner.status()["children"]] == [2]
    host.kill()
    host.close()


def test_a_worn_host_finishes_and_a_fresh_one_takes_over(start_runner, load):
    runner = Runner(start_runner("--recycle-requests", "5").socket_path)
    host, other = (runner.host("worn", kind="estimator") for _ in range(2))
    load(host, ONES)
    for _ in range(4):
        ask(host)

    fresh = runner.host("worn", kind="estimator", instead_of=host)

    assert fresh.child != other.child
    assert ask(other) == [1.0]
    assert {one["state"] for one in runner.status()["children"]} == {"live", "retired"}
    other.close()
    assert eventually(lambda: [one["state"] for one in runner.status()["children"]] == ["live"])
    fresh.close()


def test_numbers_are_not_used_again_by_the_next_runner(start_runner):
    numbers = []
    for _ in range(2):
        host = Runner(start_runner().socket_path).host("a", kind="graph")
        numbers.append(host.child)
        host.close()

    assert numbers[0] < numbers[1]


def test_how_a_child_ended_is_told(runner, load):
    host = runner.host("mortal", kind="estimator")
    load(host, DIES)
    assert runner.fate(host.child) == {"alive": True}
    with pytest.raises(ChildDied) as died:
        ask(host)

    assert died.value.code == "model_crashed"
    assert runner.fate(host.child) == {"alive": False, "doom": "", "exit": 3}
    assert runner.fate(1) == {"alive": False}


def test_one_that_is_killed_by_the_kernel_says_so(runner, load):
    host = runner.host("bombed", kind="estimator")
    load(host, "import time\ndef predict(rows, methods): time.sleep(60)")
    pid = next(one["pid"] for one in runner.status()["children"] if one["key"] == "bombed")
    threading.Timer(0.3, os.kill, (pid, signal.SIGSEGV)).start()
    with pytest.raises(ChildDied) as died:
        ask(host)

    assert died.value.reason == "The model's process ended by SIGSEGV."


# Deaths ------------------------------------------------------------------------------------------


def test_who_dies_again_and_again_waits(start_runner, load):
    runner = Runner(start_runner().socket_path)
    for _ in range(4):
        host = runner.host("dies", kind="estimator")
        load(host, DIES)
        with pytest.raises(ChildDied):
            ask(host)

    with pytest.raises(Parked) as parked:
        runner.host("dies", kind="estimator")

    assert "it ended itself with code 3" in parked.value.reason
    assert 1 <= parked.value.retry_after <= 5
    assert runner.status()["parked"] == 1
    other = runner.host("lives", kind="estimator")
    load(other, ONES)
    assert ask(other) == [1.0]
    other.close()


def test_being_killed_is_nobodys_fault(start_runner):
    runner = Runner(start_runner().socket_path)
    for _ in range(6):
        host = runner.host("unlucky", kind="estimator")
        host.kill()
        host.close()

    runner.host("unlucky", kind="estimator").close()


def test_each_death_doubles_the_wait_until_it_is_forgotten():
    parking = Parking()
    waits = []
    for at in (0, 1, 2, 3, 10, 100, 101):
        parking.died("a", "it fell", at=at)
        parked = parking.parked("a", at=at)
        waits.append(parked and parked.seconds)
    parking.died("a", "it fell", at=10_000)

    assert waits == [None, None, None, 5.0, 10.0, 20.0, 40.0]
    assert parking.parked("a", at=10_000) is None
    assert parking.parked("b", at=3) is None


def test_deaths_far_apart_are_no_loop():
    parking = Parking()
    for at in range(0, 500, 50):
        parking.died("a", "it fell", at=at)

    assert parking.parked("a", at=451) is None


# Loads -------------------------------------------------------------------------------------------


def test_few_load_at_once_and_one_a_child():
    permits = Permits(at_once=2)
    for client, child in (("a", 1), ("b", 1), ("c", 2), ("d", 3)):
        permits.ask(client, child)

    assert list(permits.granted()) == ["a", "c"]
    assert permits.leave("a") == 1
    assert list(permits.granted()) == ["b"]
    assert permits.leave("d") is None
    assert permits.facts() == {"running": 2, "waiting": 0}


def test_the_runner_gives_turns_and_takes_them_back(start_runner):
    runner = Runner(start_runner("--loads-at-once", "1").socket_path)
    with runner.turn_to_load(1, timeout=5):
        with pytest.raises(RunnerUnavailable) as busy, runner.turn_to_load(2, timeout=0.2):
            pass
        assert busy.value.code == "busy"
        assert runner.status()["loads"]["running"] == 1
    with runner.turn_to_load(2, timeout=5):
        pass

    assert eventually(lambda: runner.status()["loads"] == {"running": 0, "waiting": 0})


# Demand ------------------------------------------------------------------------------------------


def made(*busy):
    children = [
        Child(number=number, kind="graph", pid=0, pidfd=-1, slot=0, mailbox=None)
        for number in range(1, len(busy) + 1)
    ]
    for child, share in zip(children, busy, strict=True):
        child.usage.busy = share
    return Replicas(children)


def test_clients_spread_over_the_hosts_and_stay():
    replicas = made(0, 0)
    first = [replicas.choose(None, at=0).number for _ in range(4)]
    again = [replicas.choose(number, at=1).number for number in first]

    assert first == [1, 2, 1, 2]
    assert again == first


def test_a_crowd_moves_over_to_a_new_host():
    replicas = made(0)
    for _ in range(4):
        replicas.choose(None, at=0)
    replicas.children += made(0, 0).children[1:]

    moved = [replicas.choose(1, at=1).number for _ in range(4)]

    assert sorted(moved) == [1, 1, 2, 2]


def test_a_hot_host_gets_company_while_a_core_is_idle():
    replicas = made(0.9)
    for _ in range(2):
        replicas.choose(None, at=monotonic())

    assert not replicas.needs_another(most=2, idle_cores=1.0)  # it may be a moment only
    assert replicas.needs_another(most=2, idle_cores=1.0)
    assert not replicas.needs_another(most=2, idle_cores=0.1)
    assert not replicas.needs_another(most=1, idle_cores=1.0)


def test_a_cold_host_stays_single_and_one_client_needs_no_two():
    cold, alone = made(0.2), made(1.0)
    cold.choose(None, at=monotonic()), cold.choose(None, at=monotonic())
    alone.choose(None, at=monotonic())

    for _ in range(5):
        assert not cold.needs_another(most=2, idle_cores=2.0)
        assert not alone.needs_another(most=2, idle_cores=2.0)


def test_one_too_many_leaves_when_it_has_been_so_for_a_while():
    replicas = made(0.1, 0.1)

    assert [replicas.has_one_too_many() for _ in range(5)] == [False] * 4 + [True]
    assert not made(0.4, 0.4).has_one_too_many()
