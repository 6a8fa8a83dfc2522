"""Every fence by an attack that it stops: with the fence the attack fails, without it succeeds.

Fences stand behind one another, so where another one would stop the attack as well, that one is
left out both times; what is shown then is that the fence would hold alone.
"""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import landlockpy
import pytest

LAB = Path(__file__).parent / "fence_lab.py"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has uids and rights to give away")
LANDLOCK = pytest.mark.skipif(
    landlockpy.abi_version() == 0, reason="this kernel has no Landlock; the filter is the fence"
)
X86 = pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="system call numbers differ; the self-test asks there"
)


@pytest.fixture(scope="module")
def given():
    """What the attacks are after: files, programs and listeners of the test's own."""
    folder = Path(tempfile.mkdtemp(prefix="mlp-fences-"))
    folder.chmod(0o755)
    for name, mode in {"private": 0o600, "public": 0o644, "writable": 0o600}.items():
        (folder / name).write_text("secret")
        (folder / name).chmod(mode)
    shutil.copy(shutil.which("id"), folder / "setuid")
    (folder / "setuid").chmod(0o4755)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        datagrams.bind(("127.0.0.1", 0))
        names = ("private", "public", "writable", "setuid")
        ports = {"port": datagrams.getsockname()[1], "tcp": listener.getsockname()[1]}
        yield {**{name: str(folder / name) for name in names}, **ports}
    shutil.rmtree(folder)


@pytest.fixture
def outcome(given):
    """What an attack comes to without these fences."""

    def outcome(attack, without=(), **more):
        asked = {"attack": attack, "without": list(without), "given": dict(given), **more}
        return subprocess.run(
            [sys.executable, "-I", "-B", str(LAB), json.dumps(asked)],
            env={"PLANTED": "secret"},
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
            preexec_fn=_room_for_a_stack,
        ).stdout.strip()

    return outcome


def _room_for_a_stack():
    # As a launcher may have it: the child's limit must hold whatever it was before.
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_STACK, (256 << 20, hard))


# (the fence, the attack, what stops it, what is left out both times)
ALONE = [
    ("descriptors", "read_what_was_left_open", "EBADF", ()),
    ("environment", "read_the_environment", "ENOENT", ()),
    ("RLIMIT_AS", "reserve_addresses", "ENOMEM", ()),
    ("RLIMIT_DATA", "take_memory", "ENOMEM", ()),
    ("RLIMIT_NOFILE", "use_up_descriptors", "EMFILE", ()),
    ("RLIMIT_FSIZE", "write_to_a_file", "EFBIG", ()),
    ("RLIMIT_MEMLOCK", "lock_memory", ("EPERM", "EAGAIN"), ()),
    ("RLIMIT_STACK", "use_up_the_stack", "SIGSEGV", ()),
    ("RLIMIT_CPU", "burn", "SIGKILL", ()),
    ("death signal", "outlive_the_zygote", "gone", ()),
    ("seccomp", "look_at_a_path", "ENOENT", ()),
    ("seccomp", "send_a_datagram", "EPERM", ()),
    ("seccomp", "make_a_pipe", "EPERM", ()),
    ("seccomp", "change_a_connections_flags", "EPERM", ()),
    pytest.param("seccomp", "make_memory_a_file", "EPERM", (), marks=X86),
    ("seccomp", "fork", "EPERM", ("RLIMIT_NPROC",)),
    ("seccomp", "run_a_program", "EPERM", ("landlock", "RLIMIT_NPROC")),
    ("seccomp", "connect", "EPERM", ("landlock",)),
    ("seccomp", "read_a_public_file", "ENOENT", ("landlock",)),
    pytest.param("landlock", "read_a_public_file", "EACCES", ("seccomp",), marks=LANDLOCK),
    pytest.param(
        "landlock", "run_a_program", "EACCES", ("seccomp", "RLIMIT_NPROC"), marks=LANDLOCK
    ),
    pytest.param("landlock", "connect", "EACCES", ("seccomp",), marks=LANDLOCK),
    pytest.param("RLIMIT_NPROC", "fork", "EAGAIN", ("seccomp",), marks=ROOT),
    pytest.param("uid", "read_a_private_file", "EACCES", ("seccomp", "landlock"), marks=ROOT),
    pytest.param(
        "capabilities", "change_the_root", "EPERM", ("seccomp", "landlock", "uid"), marks=ROOT
    ),
    pytest.param(
        "session",
        "signal_the_group",
        "alone: open",
        ("seccomp", "landlock", "uid"),
        marks=ROOT,
    ),
]


@pytest.mark.parametrize(("fence", "attack", "stopped", "both_times"), ALONE)
def test_the_fence_alone_stops_the_attack(outcome, fence, attack, stopped, both_times):
    assert outcome(attack, both_times) in (stopped if isinstance(stopped, tuple) else (stopped,))
    assert outcome(attack, (*both_times, fence)) == "open"


@ROOT
def test_no_program_gives_rights_back(outcome, given):
    if os.statvfs(given["setuid"]).f_flag & os.ST_NOSUID:
        pytest.skip("programs of this file system give no rights")
    others = ("seccomp", "landlock", "RLIMIT_NPROC")

    assert outcome("exec_a_setuid_program", others) == "60000"
    assert outcome("exec_a_setuid_program", (*others, "no new privileges")) == "0"


def test_no_other_child_reads_its_memory(outcome):
    # Of one uid, as where the runner is not root; a change of uid alone has the same effect.
    others = ["seccomp", "landlock", "uid"]
    attack = "read_the_others_memory"

    assert outcome(attack, others, **{"other's without": others}) in ("EACCES", "EPERM")
    assert outcome(attack, others, **{"other's without": [*others, "dumpable"]}) == "open"


@pytest.mark.parametrize("limit", ["RLIMIT_CORE", "RLIMIT_MSGQUEUE"])
def test_limits_that_others_hide(limit):
    pytest.skip(f"{limit}: no attack reaches it, as an undumpable process writes no core and the "
                "filter knows no queue")  # fmt: skip
