import errno
import fcntl
import os
import stat
import threading

import orjson
import pytest

from inference import drainer, prediction_log
from inference.errors import SpoolFull
from tests.inference.entries import make_entry


def lines_in(directory, pattern="*"):
    files = sorted(directory.glob(pattern))
    return [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]


def test_it_works(spool):
    entry = make_entry()

    prediction_log.append(entry)

    [line] = lines_in(spool, "*.log")
    assert line["id"] == str(entry.id)
    assert line["inputs"] == [{"x0": 1.5}]
    assert line["api_key_id"] is None


def test_it_is_for_this_user_only(spool):
    prediction_log.append(make_entry())

    [segment] = spool.iterdir()
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700
    assert stat.S_IMODE(segment.stat().st_mode) == 0o600


def test_it_goes_on_in_the_same_segment(spool):
    for _ in range(3):
        prediction_log.append(make_entry())

    assert len(list(spool.iterdir())) == 1
    assert len(lines_in(spool)) == 3


def test_it_opens_a_new_segment_after_sealing(spool):
    prediction_log.append(make_entry(request_id="first"))
    [segment] = spool.iterdir()
    drainer.seal(segment)

    prediction_log.append(make_entry(request_id="second"))

    assert [line["request_id"] for line in lines_in(spool, "*.sealed")] == ["first"]
    assert [line["request_id"] for line in lines_in(spool, "*.log")] == ["second"]


def test_it_does_not_wait_for_a_drainer_that_stopped_while_sealing(spool):
    prediction_log.append(make_entry(request_id="first"))
    [segment] = spool.iterdir()

    with segment.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        prediction_log.append(make_entry(request_id="second"))

    assert sorted(line["request_id"] for line in lines_in(spool, "*.log")) == ["first", "second"]
    assert len(list(spool.iterdir())) == 2


def test_a_forked_child_writes_to_its_own_segment(spool):
    prediction_log.append(make_entry(request_id="parent"))

    child = os.fork()
    if child == 0:
        prediction_log.append(make_entry(request_id="child"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

    prediction_log.append(make_entry(request_id="parent"))
    counts = sorted(len(path.read_bytes().splitlines()) for path in spool.iterdir())
    assert counts == [1, 2]


def test_threads_share_a_segment(spool):
    def write():
        for _ in range(100):
            prediction_log.append(make_entry())

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({line["id"] for line in lines_in(spool)}) == 800
    assert len(list(spool.iterdir())) == 1


def test_a_full_disk_is_told_and_leaves_no_half_line(spool, monkeypatch):
    prediction_log.append(make_entry(request_id="before"))
    real_write = os.write

    def write_half(descriptor, line):
        real_write(descriptor, line[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", write_half)
    with pytest.raises(SpoolFull) as refused:
        prediction_log.append(make_entry(request_id="during"))
    monkeypatch.undo()
    prediction_log.append(make_entry(request_id="after"))

    assert refused.value.status == 503
    assert refused.value.retry_after == 10
    assert [line["request_id"] for line in lines_in(spool)] == ["before", "after"]


def test_a_spool_that_cannot_be_made_is_told(spool, settings):
    spool.parent.joinpath("a-file").touch()
    settings.SPOOL_DIR = spool.parent / "a-file" / "spool"

    with pytest.raises(SpoolFull):
        prediction_log.append(make_entry())
