import json
import shlex

import pytest
from django.conf import settings
from django.utils.html import escape

from registry.models import ModelVersion
from registry.signature import Input, Signature
from registry.views import example_body
from tests.factories import make_version
from tests.pages.conftest import FACTS, make_champion, make_ready
from tests.pages.test_home import text_of

URL = "/models/churn"
NUMBER = {"predict": {"dtype": "float", "count": 1}, "predict_proba": None}


def test_it_works(alice, organization, browser_of):
    version = make_champion(organization, alice)

    page = text_of(browser_of(alice).get(URL))

    assert f"{settings.SITE_URL}/api/v1/predict/churn" in page
    assert "version 1 answers" in page
    assert "46.2× the speed of its library" in page
    assert "equal on 400 rows" in page
    assert "StandardScaler → LogisticRegression" in page
    assert "scikit-learn 1.2.2; it runs here with 1.9.1" in page
    assert version.digest in page
    assert "leaves, stays" in page


def test_it_shows_the_signature(alice, organization, browser_of):
    make_champion(organization, alice)

    page = text_of(browser_of(alice).get(URL))

    assert "<code>age</code></th> <td>number</td> <td>yes</td>" in page
    assert "<code>income</code></th> <td>number</td> <td>no</td>" in page
    assert "<code>plan</code></th> <td>string</td> <td>yes</td>" in page
    assert "basic, it&#x27;s all" in page
    assert "others are refused" in page


def test_it_shows_what_the_sample_says(alice, organization, browser_of):
    age = Input("age", "float", range=(18.5, 90.0), examples=(42.0,))
    version = make_champion(
        organization, alice, signature=Signature((age,), named=True, outputs=NUMBER)
    )
    ModelVersion.objects.filter(pk=version.pk).update(
        profile={"rows": 200, "expected": {"rows": 190}}
    )

    page = text_of(browser_of(alice).get(URL))

    assert "18.5 to 90 in the sample" in page
    assert "200 rows, 190 of them answered as expected" in page


def test_its_curl_survives_quotes(alice, organization, browser_of):
    column = "a'b\"<c>"
    signature = Signature((Input(column, "float"),), named=True, outputs=NUMBER)
    make_champion(organization, alice, signature=signature)

    page = browser_of(alice).get(URL).content.decode()

    body = example_body(ModelVersion(), signature)
    assert escape(body) in page
    assert json.loads(shlex.split(body)[0]) == {"input": {column: 0.0}}


def test_an_unnamed_model_takes_a_list():
    signature = Signature((Input("x0", "float"), Input("x1", "float")), named=False, outputs=NUMBER)

    assert example_body(ModelVersion(), signature) == """'{"input": [0.0, 0.0]}'"""


def test_the_example_is_a_row_that_the_model_has_answered():
    signature = Signature((Input("x0", "float"), Input("x1", "float")), named=False, outputs=NUMBER)
    version = ModelVersion(golden={"input": [5.123456, None]})

    assert example_body(version, signature) == """'{"input": [5.12, 0.0]}'"""


@pytest.mark.parametrize(
    "facts", [{}, {"class": 1, "steps": 2, "warnings": 3, "params": {"items": [1]}}]
)
def test_forged_facts_break_nothing(alice, organization, browser_of, facts):
    make_champion(organization, alice, facts=facts)

    assert browser_of(alice).get(URL).status_code == 200


def test_a_model_that_waits_has_a_page(alice, organization, browser_of):
    make_version(organization, alice, name="churn", content=b"bytes")

    response = browser_of(alice).get(URL)

    assert response.status_code == 200
    assert "nothing answers yet" in text_of(response)
    assert "An example appears here" in text_of(response)


def test_its_id_is_as_good_as_its_name(alice, organization, browser_of):
    version = make_champion(organization, alice)

    assert browser_of(alice).get(f"/models/{version.model_id}").status_code == 200


def test_only_those_who_may_deploy_see_the_button(alice, viewer, organization, browser_of):
    make_champion(organization, alice)
    make_ready(organization, alice)

    assert 'action="/models/churn/promote"' in text_of(browser_of(alice).get(URL))
    assert 'action="/models/churn/promote"' not in text_of(browser_of(viewer).get(URL))


def test_it_hides_other_tenants_models(alice, charlie, organization, browser_of):
    make_champion(organization, alice, facts=FACTS)

    response = browser_of(charlie).get(URL)

    assert response.status_code == 404
    assert "LogisticRegression" not in text_of(response)


def test_nobody_is_asked_to_sign_in(client, alice, organization):
    make_champion(organization, alice)

    assert client.get(URL)["Location"] == f"/accounts/login/?next={URL}"
