"""Sends what the API's own description allows, and some that it does not, to every operation.

No 5xx, no status that is not written down, bodies as described, and nothing
without credentials. Always the same examples: what fails here fails again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from inference import prediction_log
from tests.access_world import World, make_world, undone

pytestmark = pytest.mark.django_db

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
]
EXAMPLES = settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def application(environ, start_response):
    """Made late: the stores of a test are known when it runs."""
    return handler()(environ, start_response)


handler = cache(WSGIHandler)


def described():
    """Our description without `default`, which would allow any status."""
    raw = SchemaGenerator().get_schema(request=None, public=True)
    for path in raw["paths"].values():
        for operation in path.values():
            operation["responses"].pop("default")
    schema = schemathesis.openapi.from_dict(raw)
    schema.app = application
    return schema


SCHEMA = described()
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for operation in (found.ok() for found in SCHEMA.get_all_operations())
}


@contextmanager
def one_connection() -> Iterator[None]:
    """As Django's own test client does it: no request closes the transaction of the test."""
    ends = (request_started, request_finished)
    for end in ends:
        end.disconnect(close_old_connections)
    yield
    for end in ends:
        end.connect(close_old_connections)


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, own_stores) -> Iterator[World]:
    with django_db_blocker.unblock(), undone(), one_connection():
        yield make_world(own_stores / "spool")
        prediction_log.spool.close()


def test_every_operation_says_its_statuses():
    for name, operation in OPERATIONS.items():
        assert {"429", "503"} <= set(operation.responses.status_codes), name


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("name", OPERATIONS)
def test_it_works(world, name, mode):
    operation = OPERATIONS[name]
    ours = {key.strip("<>").rpartition(":")[2]: str(value) for key, value in world.ids.items()}

    headers = {"X-API-Key": world.keys["key admin"]}

    @EXAMPLES
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        for given_ids in ({}, ours):
            for parameter in set(case.path_parameters or {}) & set(given_ids):
                case.path_parameters[parameter] = given_ids[parameter]
            with undone():
                case.call_and_validate(checks=CHECKS, headers=headers)

    ask()
