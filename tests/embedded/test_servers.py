"""PostgreSQL and Valkey: started, stopped, killed, and found again."""

import sys
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from mlplatform.embedded import postgres, valkey
from mlplatform.embedded.places import Data, sockets_for
from tests.embedded.conftest import eventually, wait_until_gone

pytestmark = pytest.mark.timeout(120)


def cluster_of(folder):
    data = Data(folder)
    return postgres.cluster_for(data, sockets_for(data), Path(sys.prefix))


def store_of(folder):
    data = Data(folder)
    store = valkey.store_for(data, sockets_for(data), Path(sys.prefix))
    return redis.from_url(store.url(0))


def ask(folder, sql):
    connection = psycopg2.connect(cluster_of(folder).url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


def test_it_works(folder, servers):
    running = servers()

    assert ask(folder, "SELECT current_user, current_database()") == [("mlplatform", "mlplatform")]
    assert ask(folder, "SHOW server_encoding") == [("UTF8",)]
    assert ask(folder, "SHOW synchronous_commit") == [("on",)]
    assert store_of(folder).config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
    below = running.below()
    assert not [c for process in below for c in process.net_connections("inet")]
    assert running.end() == 0
    assert wait_until_gone(below, within=0) == []


def test_a_second_start_finds_the_data(folder, servers):
    running = servers()
    ask(folder, "CREATE TABLE kept AS SELECT 42 AS answer")
    store_of(folder).set("kept", "42")
    running.end()

    servers()

    assert ask(folder, "SELECT answer FROM kept") == [(42,)]
    assert store_of(folder).get("kept") == b"42"


def test_kill_9_of_the_program_leaves_nothing(folder, servers):
    running = servers()
    below = running.below()
    assert len(below) > 5  # keeper, PostgreSQL's processes, Valkey

    running.process.kill()

    assert wait_until_gone(below) == []
    assert "database system is shut down" in (folder / "logs/postgres.log").read_text()


def test_kill_9_of_program_and_keeper_leaves_nothing(folder, servers):
    running = servers()
    below = running.below()
    keeper = psutil.Process(running.process.pid).children()[0]

    running.process.kill()
    keeper.kill()

    assert wait_until_gone(below) == []


def test_it_starts_at_once_after_a_kill(folder, servers):
    running = servers()
    ask(folder, "CREATE TABLE kept AS SELECT 42 AS answer")
    running.process.kill()

    servers()

    assert ask(folder, "SELECT answer FROM kept") == [(42,)]


def test_a_server_that_dies_is_started_again(folder, servers):
    running = servers()
    old = [process for process in running.below() if process.name() == "postgres"]
    postmaster = next(p for p in old if p.parent().name() != "postgres")

    postmaster.kill()

    running.wait_for("postgres ended (killed by SIGKILL)")
    eventually(lambda: answers(folder))
    assert wait_until_gone(old, within=5) == []


def answers(folder):
    try:
        return ask(folder, "SELECT 1") == [(1,)]
    except psycopg2.OperationalError:
        return False


def test_a_long_path_gets_short_sockets(folder, servers):
    folder.parent.mkdir(exist_ok=True)
    long = folder.parent / ("a" * 150)

    running = servers(long)

    sockets = Path(Data(long).state()["sockets"])
    assert sockets.parent == Path("/tmp")
    assert sockets.stat().st_mode & 0o066 == 0
    assert ask(long, "SELECT 1") == [(1,)]
    running.end()


def test_stale_files_are_no_obstacle(folder, servers):
    servers().end()
    pid_file = folder / "postgres/data/postmaster.pid"
    pid_file.write_text("999999\n/nowhere\n1\n5432\n/nowhere\n\n  1 1\n")
    (folder / "run/valkey/valkey.sock").touch()

    servers()

    assert ask(folder, "SELECT 1") == [(1,)]
    assert store_of(folder).ping()


def test_an_interrupted_initdb_is_repeated(folder, servers):
    data = Data(folder)
    data.create()
    (folder / "postgres/data.new/base").mkdir(parents=True)

    servers()

    assert ask(folder, "SELECT 1") == [(1,)]


def test_data_of_another_major_version_is_refused(folder, servers):
    servers().end()
    (folder / "postgres/data/PG_VERSION").write_text("16\n")

    with pytest.raises(AssertionError) as stopped:
        servers()

    assert "was made by PostgreSQL 16; this is 18." in str(stopped.value)
    assert "pg_upgrade" in str(stopped.value)


def test_secrets_are_for_their_owner_only(folder, servers):
    servers()

    assert (folder / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert (folder / "postgres").stat().st_mode & 0o777 == 0o700
    password = Data(folder).secrets()["POSTGRES_PASSWORD"]
    assert not [log for log in (folder / "logs").iterdir() if password in log.read_text()]
