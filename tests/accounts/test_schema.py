import pytest


@pytest.fixture
def schema(client):
    return client.get("/api/schema/", headers={"Accept": "application/json"}).json()


def test_it_works(schema):
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert schema["components"]["securitySchemes"]["api_key"]["name"] == "X-API-Key"


def test_every_way_in_is_told(schema):
    assert {"bearer": []} in schema["paths"]["/api/v1/keys"]["get"]["security"]
    assert {"api_key": []} in schema["paths"]["/api/v1/keys"]["get"]["security"]


@pytest.mark.parametrize("name", ["register", "login", "refresh", "logout"])
def test_public_operations_are_told_to_be_so(schema, name):
    operation = schema["paths"][f"/api/v1/auth/{name}"]["post"]

    assert operation["operationId"] == name
    assert operation.get("security", [{}]) == [{}]


def test_passwords_are_in_no_answer(schema):
    answers = [name for name in schema["components"]["schemas"] if not name.endswith("Request")]

    for name in answers:
        assert "password" not in schema["components"]["schemas"][name].get("properties", {})
