from django.conf import settings
from django.utils.timezone import now

from registry.promotion import point
from tests.factories import make_version
from tests.pages.conftest import PARITY, make_champion, make_ready


def text_of(response) -> str:
    return " ".join(response.content.decode().split())


def test_it_works(alice, organization, browser_of):
    make_champion(organization, alice)

    page = text_of(browser_of(alice).get("/"))

    assert '<a class="model-name" href="/models/churn">churn</a>' in page
    assert f"{settings.SITE_URL}/api/v1/predict/churn" in page
    assert "version 1 <span" in page
    assert '<span class="status status-ready">ready</span>' in page
    assert "46.2× the speed of its library" in page
    assert "1 model<" in page


def test_a_stranger_sees_what_this_is(client, db):
    response = client.get("/")

    page = text_of(response)
    assert response.status_code == 200
    assert "Upload a trained model" in page
    assert f"{settings.SITE_URL}/api/v1/models/upload" in page
    assert 'href="/accounts/login/"' in page
    assert 'href="/docs"' in page
    assert 'href="/redoc"' in page


def test_without_models_it_says_what_to_do(alice, browser_of):
    page = text_of(browser_of(alice).get("/"))

    assert "No models yet" in page
    assert "/api/v1/models/upload" in page
    assert "alice@example.com" in page


def test_it_tells_why_the_newest_version_was_rejected(alice, organization, browser_of):
    make_champion(organization, alice)
    version = make_version(organization, alice, name="churn", content=b"other bytes")
    version.reject(code="unreadable", reason="The file <ends> too early.")

    page = text_of(browser_of(alice).get("/"))

    assert "version 1 <span" in page
    assert 'version 2 <span class="status status-rejected">rejected</span>' in page
    assert "The file &lt;ends&gt; too early." in page


def test_it_tells_what_a_pending_version_waits_for(alice, organization, browser_of):
    version = make_version(organization, alice, name="churn", content=b"bytes")
    version.wait(code="runner_unavailable", reason="The runner does not answer.")

    page = text_of(browser_of(alice).get("/"))

    assert "nothing yet" in page
    assert '<span class="status status-pending">pending</span>' in page
    assert "The runner does not answer." in page


def test_it_tells_why_a_model_was_not_compiled(alice, organization, browser_of):
    parity = PARITY | {"reason": "no converter for haversine", "speedup": None}
    make_champion(organization, alice, graph=False, parity=parity)

    page = text_of(browser_of(alice).get("/"))

    assert "own library" in page
    assert "no converter for haversine" in page
    assert "compiled graph" not in page


def test_it_hides_other_tenants_models(alice, charlie, organization, browser_of):
    make_champion(organization, alice)

    page = text_of(browser_of(charlie).get("/"))

    assert "churn" not in page
    assert "No models yet" in page


def test_it_hides_deleted_models(alice, organization, browser_of):
    make_champion(organization, alice).model.soft_delete(at=now())

    assert "churn" not in text_of(browser_of(alice).get("/"))


def test_a_long_list_has_pages(alice, organization, browser_of):
    for number in range(26):
        make_version(organization, alice, name=f"model-{number}", content=b"bytes")

    first = text_of(browser_of(alice).get("/"))
    second = text_of(browser_of(alice).get("/?page=2"))

    assert "Page 1 of 2" in first
    assert "model-0<" not in first
    assert "model-0<" in second
    assert browser_of(alice).get("/?page=nonsense").status_code == 200


def test_more_models_take_no_more_queries(
    alice, organization, browser_of, django_assert_max_num_queries
):
    for number in range(8):
        make_champion(organization, alice, name=f"model-{number}")
    for _ in range(3):
        version = make_ready(organization, alice, name="model-0")
    point(version, alias="challenger", at=now())
    client = browser_of(alice)

    with django_assert_max_num_queries(8):  # session, user, 2 memberships, count, models, 2 beside
        client.get("/")


def test_it_is_for_reading_only(client, db):
    assert client.post("/").status_code == 405
