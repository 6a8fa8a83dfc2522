import os
import shutil
import signal
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from inference import drainer, prediction_log
from inference.models import Prediction
from tests.inference.entries import make_entry

APPEND = """
import threading
from inference import prediction_log
from tests.inference.entries import make_entry

def write(count):
    for _ in range(count):
        prediction_log.append(make_entry(request_id=sys.argv[1]))

threads = [threading.Thread(target=write, args=(int(sys.argv[2]),)) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""

DIE_BETWEEN_COMMIT_AND_UNLINK = """
import pathlib, signal
from inference import drainer
pathlib.Path.unlink = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
drainer.drain(settings.SPOOL_DIR)
"""


def ended(process):
    output, errors = process.communicate(timeout=60)
    return process.returncode, output.decode() + errors.decode()


def test_it_works(spool, db):
    entry = make_entry(
        api_key_id=UUID(int=5), inputs=[{"city": 'Köln\t"\\n"\n'}], outputs={"predictions": ["a"]}
    )
    prediction_log.append(entry)

    assert drainer.drain(spool) == 1

    stored = Prediction.objects.get()
    assert {field: getattr(stored, field) for field in entry.__slots__} == {
        field: getattr(entry, field) for field in entry.__slots__
    }
    assert list(spool.iterdir()) == []


def test_it_takes_many_batches(spool, db, monkeypatch):
    monkeypatch.setattr(drainer, "BATCH_BYTES", 2000)
    for _ in range(50):
        prediction_log.append(make_entry())

    assert drainer.drain(spool) == 50
    assert Prediction.objects.count() == 50


def test_the_writer_goes_on_after_it(spool, db):
    prediction_log.append(make_entry())
    drainer.drain(spool)
    prediction_log.append(make_entry())

    assert drainer.drain(spool) == 1
    assert Prediction.objects.count() == 2


def test_draining_the_same_lines_twice_stores_them_once(spool, db):
    prediction_log.append(make_entry())
    [segment] = spool.iterdir()
    shutil.copy(segment, spool / "copy.sealed")

    assert drainer.drain(spool) == 1
    assert Prediction.objects.count() == 1


def test_kill_9_between_commit_and_unlink_loses_and_doubles_nothing(spool, committed, run_python):
    for _ in range(20):
        prediction_log.append(make_entry())

    returncode, _ = ended(run_python(DIE_BETWEEN_COMMIT_AND_UNLINK))

    assert returncode == -signal.SIGKILL
    assert Prediction.objects.count() == 20
    assert len(list(spool.glob("*.sealed"))) == 1
    assert drainer.drain(spool) == 0
    assert Prediction.objects.count() == 20
    assert list(spool.iterdir()) == []


def test_processes_and_threads_append_while_it_drains(spool, committed, run_python):
    writers = [run_python(APPEND, name, 250) for name in ("one", "two", "three")]
    while any(writer.poll() is None for writer in writers):
        drainer.drain(spool)
        time.sleep(0.01)
    assert [ended(writer) for writer in writers] == [(0, "")] * 3
    drainer.drain(spool)

    for name in ("one", "two", "three"):
        assert Prediction.objects.filter(request_id=name).count() == 1000
    assert list(spool.iterdir()) == []


def test_the_segment_of_a_killed_writer_is_drained(spool, committed, run_python):
    code, _ = ended(run_python(APPEND + "os.kill(os.getpid(), 9)", "killed", 10))

    assert code == -signal.SIGKILL
    assert drainer.drain(spool) == 40


def test_a_torn_last_line_is_set_aside(spool, db, caplog):
    prediction_log.append(make_entry())
    [segment] = spool.iterdir()
    with segment.open("ab") as file:
        file.write(b'{"id":"019a')

    assert drainer.drain(spool) == 1

    [bad] = spool.iterdir()
    assert bad.suffix == ".bad"
    assert bad.read_bytes() == b'{"id":"019a\n'
    assert "it has no end" in caplog.text


@pytest.mark.parametrize(
    "line", [b"no json", b"[]", b"{}", b'{"id": "x"}', b"\xff\xfe", b'{"rows": 1e99}', b""]
)
def test_a_poisonous_line_does_not_keep_the_others(spool, db, line):
    prediction_log.append(make_entry())
    [segment] = spool.iterdir()
    with segment.open("ab") as file:
        file.write(line + b"\n")
    prediction_log.append(make_entry())

    assert drainer.drain(spool) == 2

    assert Prediction.objects.count() == 2
    [bad] = spool.iterdir()
    assert bad.read_bytes() == line + b"\n"


def test_a_nul_character_is_kept_as_the_replacement_character(spool, db):
    inputs = [{"a": "x\0\0y", "b": "\\u0000", "c": "\\\0"}]
    prediction_log.append(make_entry(inputs=inputs))

    assert drainer.drain(spool) == 1
    kept = [{"a": "x\ufffd\ufffdy", "b": "\\u0000", "c": "\\\ufffd"}]
    assert Prediction.objects.get().inputs == kept


def test_a_segment_being_written_to_waits_for_the_next_pass(spool, db):
    prediction_log.append(make_entry())
    [segment] = spool.iterdir()
    drainer_lock = os.open(segment, os.O_RDWR)
    drainer.fcntl.flock(drainer_lock, drainer.fcntl.LOCK_EX)

    assert drainer.drain(spool) == 0
    os.close(drainer_lock)
    assert drainer.drain(spool) == 1


def test_without_the_database_the_files_stay(spool, db, monkeypatch):
    prediction_log.append(make_entry())

    def refuse():
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "cursor", refuse)
    with pytest.raises(OperationalError):
        drainer.drain(spool)
    monkeypatch.undo()

    assert len(list(spool.glob("*.sealed"))) == 1
    assert drainer.drain(spool) == 1


def test_running_survives_a_database_that_goes_away(spool, committed, monkeypatch):
    prediction_log.append(make_entry())
    stop, passes, waits = threading.Event(), [], []
    real_drain = drainer.drain

    def drain_third_time(directory):
        passes.append(directory)
        if len(passes) < 3:
            raise OperationalError("terminating connection due to administrator command")
        real_drain(directory)
        stop.set()

    monkeypatch.setattr(drainer, "drain", drain_third_time)
    monkeypatch.setattr(stop, "wait", waits.append)
    drainer.run(spool, stop=stop)

    assert waits == [1.0, 2.0, 0.5]
    assert Prediction.objects.count() == 1


def test_the_command_makes_one_pass(spool, db, capsys):
    prediction_log.append(make_entry())

    call_command("drain_predictions", "--once")

    assert capsys.readouterr().out == "1 predictions stored\n"


def test_the_command_ends_at_sigterm(spool, committed, run_python):
    prediction_log.append(make_entry())
    process = run_python(
        "from django.core.management import call_command\ncall_command('drain_predictions')"
    )
    deadline = time.monotonic() + 30
    while not Prediction.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)

    assert ended(process) == (0, "")
    assert Prediction.objects.count() == 1


def test_a_line_of_a_day_without_partition_is_kept(spool, db):
    prediction_log.append(make_entry(ts=datetime(2019, 5, 4, tzinfo=UTC)))

    assert drainer.drain(spool) == 1
