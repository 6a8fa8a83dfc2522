"""mlplatform.foundation.database.set_deadline, each time in a process of its own"""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[1]
PREAMBLE = """
import json, sys, psycopg2
from mlplatform.foundation import database

waits = []
wait_for = database._wait_for
database._wait_for = lambda *arguments: (waits.append(1), wait_for(*arguments))[1]
database.set_deadline(0.3)
given = json.loads(sys.argv[1])
"""


def run(code, given):
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + code, json.dumps(given)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def hung_server():
    """It accepts connections and says nothing, as a stopped PostgreSQL does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield {"host": "127.0.0.1", "port": listener.getsockname()[1], "user": "x", "dbname": "x"}


@pytest.fixture
def server():
    settings = connection.settings_dict
    named = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    return {name: settings[key] for name, key in named.items() if settings[key]} | {
        "dbname": "postgres"
    }


def test_it_works(server):
    code = """
with psycopg2.connect(**given).cursor() as cursor:
    cursor.execute("SELECT 42")
    print(cursor.fetchone()[0])
"""
    assert run(code, server) == ["42"]


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_query_ends_at_the_deadline(server, autocommit):
    code = f"""
link = psycopg2.connect(**given)
link.autocommit = {autocommit}
try:
    link.cursor().execute("SELECT pg_sleep(20)")
except psycopg2.OperationalError as error:
    print(link.closed > 0, "within" in str(error))
"""
    assert run(code, server) == ["True", "True"]


def test_a_transaction_ends_where_its_begin_is_not_answered(server):
    code = """
import os, signal
link = psycopg2.connect(**given)
backend = link.info.backend_pid
os.kill(backend, signal.SIGSTOP)
try:
    link.cursor().execute("SELECT 1")
except psycopg2.OperationalError as error:
    print(link.closed > 0, "within" in str(error))
finally:
    os.kill(backend, signal.SIGCONT)
"""
    assert run(code, server) == ["True", "True"]


def test_what_follows_a_deadline_does_not_wait_once_more(hung_server):
    code = """
for _ in range(2):
    try:
        psycopg2.connect(**given)
    except psycopg2.OperationalError:
        print(len(waits))
"""
    first, second = run(code, hung_server)

    assert first == second


def test_another_thread_asks_for_itself(hung_server):
    code = """
import threading
def ask():
    try:
        psycopg2.connect(**given)
    except psycopg2.OperationalError:
        print(len(waits))
ask()
other = threading.Thread(target=ask)
other.start()
other.join()
"""
    first, second = run(code, hung_server)

    assert int(second) > int(first)
