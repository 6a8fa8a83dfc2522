"""What the model's page tells of an admission, and its buttons beside Promote"""

import os
import pickle

import pytest
from django.utils.timezone import now

from registry import admission
from registry.models import ImportRule
from tests.factories import make_ready_version, make_version
from tests.pages.test_home import text_of
from tests.registry.test_admit import Payload

URL = "/models/iris"


def admitted(version):
    admission.admit(version.pk, at=now())
    version.refresh_from_db()
    return version


@pytest.fixture
def page(alice, browser_of):
    return lambda: text_of(browser_of(alice).get(URL))


def test_it_works(alice, organization, page):
    version = make_ready_version(organization, alice)

    told = page()

    for label in ("Received and stored", "Scanned, unopened", "Graph and original compared"):
        assert label in told
    assert f"{version.steps[2]['seconds']:.2f} s" in told
    assert "was rejected" not in told
    assert "What the file imports" in told
    assert "The scanner found nothing unusual." in told


def test_a_version_that_waits(alice, organization, page):
    make_version(organization, alice)

    assert "Version 1 is being admitted" in page()


def test_a_rejected_version_says_where_and_why(alice, organization, page):
    content = pickle.dumps(Payload(os.system, "true"))
    admitted(make_version(organization, alice, content=content))

    told = page()

    assert "Version 1 was rejected" in told
    assert 'step-failed">Scanned, unopened' in told
    assert "Loading would call posix.system with 1 argument" in told
    assert '<span class="finding-dangerous">Dangerous</span>' in told


def test_a_version_in_quarantine_says_who_decides(alice, organization, page):
    ImportRule.objects.create(pattern="sklearn.*", verdict="quarantine", created_by=alice)
    admitted(make_version(organization, alice))

    told = page()

    assert "Version 1 is in quarantine" in told
    assert "until an operator of this platform has looked at what was found" in told
    assert "nothing answers yet" in told


def test_a_champion_in_quarantine_does_not_answer(alice, organization, page):
    version = make_ready_version(organization, alice)
    version.quarantine(code="answers_otherwise", reason="It answers otherwise.")

    assert "nothing answers: version 1 is in quarantine" in page()


def test_what_a_file_imports_is_escaped(alice, organization, page):
    version = make_ready_version(organization, alice)
    finding = {"severity": "unknown", "what": "<b>", "at": 1, "detail": "<script>"}
    type(version).objects.update(scan={"imports": ["<i>.x"], "findings": [finding]})

    told = page()

    assert "&lt;b&gt;" in told
    assert "&lt;script&gt;" in told
    assert "&lt;i&gt;.x" in told


# --- changing a version ---------------------------------------------------------


def test_the_button_pins(alice, bob, organization, browser_of, page):
    version = make_ready_version(organization, alice)

    body = {"version": 1, "pinned": "true"}
    answer = browser_of(bob).post(f"{URL}/change", body, follow=True)

    assert answer.redirect_chain == [(URL, 302)]
    assert "pinned: the compiled graph does not answer" in text_of(answer)
    assert "Let the graph answer" in text_of(answer)
    version.refresh_from_db()
    assert version.pinned


def test_the_button_archives(alice, organization, browser_of):
    make_ready_version(organization, alice)
    second = make_ready_version(organization, alice)

    browser_of(alice).post(f"{URL}/change", {"version": 2, "status": "archived"})

    second.refresh_from_db()
    assert second.status == "archived"


def test_the_champion_is_not_archived(alice, organization, browser_of):
    make_ready_version(organization, alice)

    answer = browser_of(alice).post(f"{URL}/change", {"version": 1, "status": "archived"})

    assert answer.status_code == 409
    assert "iris v1 is champion" in text_of(answer)


@pytest.mark.parametrize(
    "body", [{}, {"version": 1, "pinned": "x"}, {"version": 1, "status": "rejected"}]
)
def test_nonsense_changes_nothing(alice, organization, browser_of, body):
    version = make_ready_version(organization, alice)

    assert browser_of(alice).post(f"{URL}/change", body).status_code == 400
    version.refresh_from_db()
    assert (version.status, version.pinned) == ("ready", False)


def test_a_viewer_may_not(alice, viewer, organization, browser_of):
    make_ready_version(organization, alice)

    answer = browser_of(viewer).post(f"{URL}/change", {"version": 1, "pinned": "true"})

    assert answer.status_code == 403
