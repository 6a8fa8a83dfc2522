"""A child may call itself anything: the zygote reads its figures all the same"""

import ctypes
import os

import pytest

from registry.runner.measuring import status_of

PR_SET_NAME = 15


@pytest.mark.parametrize("name", [b"\xff\xfe", "²".encode(), b"a\nVmRSS: x", b"1) 2 3"])
def test_it_works(name):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(PR_SET_NAME, name, 0, 0, 0)
        os.write(writing, b"+")
        os.read(os.open("/dev/null", os.O_RDONLY), 1)
        os.kill(os.getpid(), 19)  # SIGSTOP: until the parent has looked
        os._exit(0)
    try:
        assert os.read(reading, 1) == b"+"
        assert status_of(child)["VmRSS"] > 0
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
