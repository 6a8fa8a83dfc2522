"""Which tests stay together when they run in parallel (loaded by `run.py test`).

A file stays together, because its fixtures start servers; and everything that starts the whole
platform is one piece, so that it is started once and never twice at the same time.
xdist's own groups do not work with pytest 9.2: they write to an attribute that is no longer read.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling

WHOLE_PLATFORM = ("tests/live/", "tests/embedded/test_platform.py")


class OnePlatform(LoadScopeScheduling):
    def _split_scope(self, nodeid):
        if nodeid.startswith(WHOLE_PLATFORM):
            return "the whole platform"
        return nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return OnePlatform(config, log)
