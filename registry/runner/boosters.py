"""Models of XGBoost, LightGBM and CatBoost, wherever they are found: in a file of their
own, pickled, or deep inside a pipeline.

Their libraries start threads when left alone, which a child may not.
"""

import re
from typing import Any

import catboost
import lightgbm
import numpy as np
import orjson
import xgboost

from registry.runner.lightgbm_models import as_estimator as lightgbm_estimator
from registry.runner.refusals import Refused

# What is no scikit-learn estimator though it predicts.
Other = catboost.CatBoost | xgboost.Booster | lightgbm.Booster
XGBOOST_CLASSIFIERS = ("binary:logistic", "binary:hinge", "multi:softprob", "multi:softmax")
# The parts of a CatBoost file that process texts and vectors.
PROCESSING = re.compile(rb"text_process_v\d|EmbedCalcerV\d")
CATBOOST_CLASSIFIERS = (
    "Logloss",
    "CrossEntropy",
    "MultiClass",
    "MultiClassOneVsAll",
    "MultiLogloss",
    "MultiCrossEntropy",
)


def refuse_texts(content: bytes) -> None:
    """Raises Refused for a CatBoost model that takes texts or vectors, also a pickled one.

    To open one the library reads /proc, and ends the process where there is none.
    """
    if b"CBM1" in content and PROCESSING.search(content):
        raise Refused(
            "unreadable",
            "CatBoost models with text_features or embedding_features are not served. Turn texts "
            "into numbers first, for example by a TfidfVectorizer in a pipeline.",
        )


def settle(part: Any) -> None:
    """Have `part` predict on one thread and know its own inputs, if it is one of ours."""
    if isinstance(part, xgboost.XGBModel | lightgbm.LGBMModel):
        # LightGBM reads None as every core there is.
        part.n_jobs = 1
    if isinstance(part, xgboost.XGBModel) and hasattr(part, "_Booster"):
        part.get_booster().set_param({"nthread": 1})
        _hide_many_labels(part)
    if isinstance(part, catboost.CatBoost) and part.is_fitted():
        _settle_catboost(part)


def _hide_many_labels(model: Any) -> None:
    # Several labels a row: its probabilities are one number a label, not one a class.
    if isinstance(model, xgboost.XGBClassifier) and _targets(model.get_booster()) > 1:
        model.predict_proba = None


def _targets(booster: xgboost.Booster) -> int:
    learner = orjson.loads(booster.save_config())["learner"]["learner_model_param"]
    return int(learner["num_target"])


def _settle_catboost(model: Any) -> None:
    names = list(model.feature_names_ or [])
    # It counts only what training told it: nothing, once it was saved and loaded.
    model._n_features_in = len(names)
    if names != [str(index) for index in range(len(names))]:
        model.feature_names_in_ = names
    if len(model.classes_) and _loss(model).startswith("Multi") and not _is_exclusive(model):
        model.predict_proba = None
    predict = model._predict

    def on_one_thread(rows: Any, kind: str, start: int, end: int, _: int, *more: Any) -> Any:
        if isinstance(rows, np.ndarray) and rows.dtype != object:
            # By rows it would read them with a thread of its own, and wait for it for ever.
            rows = np.asfortranarray(rows)
        answer = predict(rows, kind, start, end, 1, *more)
        # Of more than two classes it puts each label into a row of its own.
        return answer.ravel() if kind == "Class" and np.shape(answer)[1:] == (1,) else answer

    model._predict = on_one_thread


def _is_exclusive(model: Any) -> bool:
    return _loss(model) in ("MultiClass", "MultiClassOneVsAll")


def _loss(model: Any) -> str:
    return str(model.get_all_params().get("loss_function", "")).partition(":")[0]


def as_estimator(model: Any) -> Any:
    """What scikit-learn would call a bare booster; anything else as it is."""
    if isinstance(model, xgboost.Booster):
        return xgboost_estimator(model)
    if isinstance(model, lightgbm.Booster):
        return lightgbm_estimator(model)
    if type(model) is catboost.CatBoost and model.is_fitted():
        return catboost_estimator(model._serialize_model())
    return model


def xgboost_estimator(booster: xgboost.Booster) -> Any:
    """The library's own estimator of the kind that was saved, or else of the objective's."""
    saved_as = orjson.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type")
    if not saved_as:
        objective = orjson.loads(booster.save_config())["learner"]["objective"]["name"]
        saved_as = "classifier" if objective in XGBOOST_CLASSIFIERS else "regressor"
        # A bare booster answers with all of its trees, an estimator with the best ones.
        booster.set_attr(best_iteration=None)
    classes = {"classifier": xgboost.XGBClassifier, "ranker": xgboost.XGBRanker}
    model = classes.get(saved_as, xgboost.XGBRegressor)(n_jobs=1)
    model.load_model(bytearray(booster.save_raw()))
    model.n_estimators = booster.num_boosted_rounds()
    return model


def catboost_estimator(content: bytes) -> Any:
    """The library's own estimator for the loss it was trained on."""
    model = catboost.CatBoost().load_model(blob=content)
    if _loss(model) in CATBOOST_CLASSIFIERS:
        return catboost.CatBoostClassifier().load_model(blob=content)
    # Told the loss again it knows whether to answer with the exponent.
    loss = model.get_all_params().get("loss_function")
    return catboost.CatBoostRegressor(loss_function=loss).load_model(blob=content)
