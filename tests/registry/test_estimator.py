from registry.estimator import Estimator

FACTS = {
    "class": "sklearn.pipeline.Pipeline",
    "steps": ["StandardScaler", "LogisticRegression"],
    "trained_with": "1.2.2",
    "runs_with": "1.9.1",
    "warnings": ["trained with an older release"],
    "params": {"C": "1.0", "items": "0"},
}


def test_it_works():
    estimator = Estimator.from_json(FACTS)

    assert estimator.name == "sklearn.pipeline.Pipeline"
    assert estimator.steps == ("StandardScaler", "LogisticRegression")
    assert estimator.params == (("C", "1.0"), ("items", "0"))
    assert estimator.is_of_another_release


def test_an_unknown_release_is_no_other_one():
    assert not Estimator.from_json({"runs_with": "1.9.1"}).is_of_another_release


def test_it_leaves_out_what_was_forged():
    forged = {"class": 7, "steps": "abc", "warnings": [{}, "w"], "params": [1], "trained_with": []}

    assert Estimator.from_json(forged) == Estimator(warnings=("w",))
