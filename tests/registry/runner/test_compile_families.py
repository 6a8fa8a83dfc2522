"""Families and wrappers of scikit-learn as graphs: each answers as the estimator itself.

Rows held out of the fit, and rows far outside of it.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import (
    cluster,
    compose,
    covariance,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    dummy,
    feature_selection,
    frozen,
    gaussian_process,
    impute,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    mixture,
    multiclass,
    multioutput,
    neighbors,
    neural_network,
    random_projection,
    semi_supervised,
    svm,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 # makes it importable
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

from registry.rows import Rows
from tests import artifacts
from tests.registry.runner.reading import inspect, load, matrix

pytestmark = pytest.mark.filterwarnings("ignore")


def logistic():
    return linear_model.LogisticRegression(max_iter=500)


def forest():
    return RandomForestClassifier(6, random_state=0)


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def before(step):
    return make_pipeline(step, logistic())


def calibrated(model, method):
    return scaled(CalibratedClassifierCV(model, method=method, cv=2))


def target(**settings):
    return compose.TransformedTargetRegressor(linear_model.Ridge(), **settings)


RBF = gaussian_process.kernels.RBF(1.0) * 2.0 + gaussian_process.kernels.WhiteKernel(0.1)
CLASSIFIERS = {
    "adaboost": lambda: AdaBoostClassifier(n_estimators=8, random_state=0),
    "bagged vectors": lambda: BaggingClassifier(svm.SVC(), n_estimators=3, random_state=0),
    "boosting from nothing": lambda: GradientBoostingClassifier(n_estimators=5, init="zero"),
    "calibrated forest": lambda: calibrated(forest(), "isotonic"),
    "calibrated vectors": lambda: calibrated(svm.LinearSVC(), "isotonic"),
    "calibrated by a curve": lambda: calibrated(svm.SVC(), "sigmoid"),
    "calibrated temperature": lambda: calibrated(GaussianNB(), "temperature"),
    "always the same": lambda: dummy.DummyClassifier(),
    "frozen": lambda: frozen.FrozenEstimator(logistic().fit(*artifacts.data("wine"))),
    "hard votes": lambda: VotingClassifier([("a", forest()), ("b", GaussianNB())]),
    "huber": lambda: scaled(linear_model.SGDClassifier(loss="modified_huber", random_state=0)),
    "label spreading": lambda: scaled(semi_supervised.LabelSpreading(gamma=0.2)),
    "nearest five": lambda: scaled(neighbors.KNeighborsClassifier()),
    "nearest by distance": lambda: scaled(neighbors.KNeighborsClassifier(weights="distance")),
    "one against one": lambda: multiclass.OneVsOneClassifier(forest()),
    "one against the rest": lambda: multiclass.OneVsRestClassifier(svm.LinearSVC()),
    "output codes": lambda: multiclass.OutputCodeClassifier(
        logistic(), code_size=3, random_state=0
    ),
    "self training": lambda: semi_supervised.SelfTrainingClassifier(logistic()),
    "stacked": lambda: StackingClassifier([("a", forest()), ("b", svm.LinearSVC())], cv=2),
    "vectors with probabilities": lambda: scaled(svm.NuSVC(probability=True, random_state=0)),
    "bins": lambda: before(KBinsDiscretizer(4)),
    "bins in order": lambda: before(KBinsDiscretizer(3, encode="ordinal")),
    "binarized": lambda: before(Binarizer(threshold=2.0)),
    "quantiles": lambda: before(QuantileTransformer(n_quantiles=30)),
    "normal quantiles": lambda: before(
        QuantileTransformer(n_quantiles=30, output_distribution="normal")
    ),
    "powers": lambda: before(PowerTransformer()),
    "powers of positives": lambda: before(PowerTransformer("box-cox")),
    "splines": lambda: before(SplineTransformer()),
    "straight splines": lambda: before(SplineTransformer(2, extrapolation="linear")),
    "largest of a row": lambda: before(Normalizer("max")),
    "functions": lambda: before(FunctionTransformer(np.log1p)),
    "squares": lambda: before(FunctionTransformer(np.square)),
    "factors": lambda: before(decomposition.FactorAnalysis(3)),
    "independent parts": lambda: before(decomposition.FastICA(3, random_state=0)),
    "kernel parts": lambda: scaled(before(decomposition.KernelPCA(3, kernel="rbf"))),
    "landmarks": lambda: scaled(before(kernel_approximation.Nystroem(n_components=9))),
    "random waves": lambda: scaled(before(kernel_approximation.RBFSampler(n_components=9))),
    "random directions": lambda: before(random_projection.GaussianRandomProjection(3)),
    "sparse directions": lambda: before(random_projection.SparseRandomProjection(3)),
    "discriminants": lambda: before(discriminant_analysis.LinearDiscriminantAnalysis()),
    "distances to centers": lambda: before(cluster.KMeans(3, n_init=1)),
    "agglomerated": lambda: before(cluster.FeatureAgglomeration(3)),
    "hidden units": lambda: make_pipeline(
        MinMaxScaler(), neural_network.BernoulliRBM(4, n_iter=2), logistic()
    ),
    "leaves": lambda: before(RandomTreesEmbedding(4, random_state=0)),
    "partial least squares": lambda: scaled(cross_decomposition.PLSRegression(2)),
    "selected": lambda: before(feature_selection.SelectKBest(k=3)),
}
BINARY = {
    "a lower threshold": lambda: scaled(FixedThresholdClassifier(forest(), threshold=0.3)),
    "a threshold of scores": lambda: scaled(
        FixedThresholdClassifier(svm.LinearSVC(), threshold=0.2, response_method="auto")
    ),
    "a tuned threshold": lambda: TunedThresholdClassifierCV(scaled(logistic()), cv=2),
    "exponential boosting": lambda: GradientBoostingClassifier(
        loss="exponential", n_estimators=5, random_state=0
    ),
    "adaboost of two": lambda: scaled(AdaBoostClassifier(logistic(), n_estimators=4)),
    "calibrated": lambda: calibrated(forest(), "isotonic"),
    "two against one another": lambda: scaled(multiclass.OneVsRestClassifier(logistic())),
    "vectors with probabilities": lambda: scaled(svm.SVC(probability=True, random_state=0)),
    "stacked": lambda: scaled(StackingClassifier([("a", svm.SVC())], cv=2, passthrough=True)),
}
REGRESSORS = {
    "adaboost": lambda: AdaBoostRegressor(n_estimators=8, random_state=0),
    "always the same": lambda: dummy.DummyRegressor(strategy="median"),
    "gaussian process": lambda: gaussian_process.GaussianProcessRegressor(
        RBF, optimizer=None, normalize_y=True
    ),
    "kernel ridge": lambda: kernel_ridge.KernelRidge(kernel="rbf", alpha=0.1),
    "nearest five": lambda: neighbors.KNeighborsRegressor(weights="distance"),
    "partial least squares": lambda: cross_decomposition.PLSRegression(3),
    "without outliers": lambda: linear_model.RANSACRegressor(random_state=0),
    "log of the target": lambda: target(func=np.log1p, inverse_func=np.expm1),
    "scaled target": lambda: target(transformer=StandardScaler()),
    "target to a power": lambda: target(transformer=PowerTransformer()),
    "ranged target": lambda: target(transformer=MinMaxScaler()),
}
UNSUPERVISED = {
    "mixture": lambda: mixture.GaussianMixture(3, random_state=0),
    "tied mixture": lambda: mixture.GaussianMixture(3, covariance_type="tied", random_state=0),
    "round mixture": lambda: mixture.GaussianMixture(
        3, covariance_type="spherical", random_state=0
    ),
    "mixture of unknown size": lambda: mixture.BayesianGaussianMixture(
        n_components=3, covariance_type="diag", random_state=0
    ),
    "envelope": lambda: covariance.EllipticEnvelope(random_state=0),
    "one class": lambda: scaled(svm.OneClassSVM(nu=0.2)),
    "one class by steps": lambda: scaled(linear_model.SGDOneClassSVM(random_state=0)),
    "shifting means": lambda: cluster.MeanShift(),
    "affinity": lambda: cluster.AffinityPropagation(random_state=0),
    "birch": lambda: cluster.Birch(n_clusters=3),
}
IMPUTED = {
    "with indicator": lambda: before(impute.SimpleImputer(add_indicator=True)),
    "beside indicator": lambda: before(
        make_union(impute.SimpleImputer(), impute.MissingIndicator())
    ),
    "by turns": lambda: before(impute.IterativeImputer(max_iter=3, random_state=0)),
}
TWO_OUTPUTS = {
    "chain": lambda: multioutput.RegressorChain(linear_model.Ridge(), order=[1, 0]),
    "each": lambda: multioutput.MultiOutputRegressor(svm.SVR()),
    "forest": lambda: RandomForestRegressor(5, random_state=0),
}
TWO_LABELS = {
    "each": lambda: multioutput.MultiOutputClassifier(forest()),
    "forest": forest,
    "tree": lambda: DecisionTreeClassifier(max_depth=3, random_state=0),
}
ANY_LABELS = {
    "chain": lambda: multioutput.ClassifierChain(logistic()),
    "network": lambda: neural_network.MLPClassifier((5,), max_iter=30, random_state=0),
    "one against the rest": lambda: multiclass.OneVsRestClassifier(logistic()),
}


def compiled(model):
    """(signature, predictor of the float64 graph)"""
    report, graphs = inspect(artifacts.dump(model))
    assert graphs, report["not_compiled"]
    assert report["graphs"][0] == {"precision": "float64"}
    return report, load(graphs[0], report["signature"], "graph")


def assert_same(model, rows, asked=None):
    report, predictor = compiled(model)
    answer = predictor.predict(matrix(rows) if asked is None else asked, report["methods"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in report["methods"]:
            expected = getattr(model, method)(rows)
            for one, other in zip(parts(expected), parts(answer[method]), strict=True):
                assert one.shape == other.shape
                if one.dtype.kind == "f":
                    np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-9)
                else:
                    assert other.tolist() == one.tolist()


def parts(answer):
    is_each = isinstance(answer, list) and isinstance(answer[0], np.ndarray)
    return [np.asarray(one) for one in (answer if is_each else [answer])]


def halves(name):
    rows, labels = artifacts.data(name)
    return (rows[::2], labels[::2]), rows[1::2]


def outside(rows):
    """As far again from the middle."""
    middle = rows.mean(axis=0)
    return np.abs(np.vstack([rows, middle + 2 * (rows - middle)]))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name):
    known, rows = halves("wine")

    assert_same(CLASSIFIERS[name]().fit(*known), outside(rows))


@pytest.mark.parametrize("name", BINARY)
def test_classifiers_of_two(name):
    known, rows = halves("breast_cancer")

    assert_same(BINARY[name]().fit(*known), outside(rows))


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name):
    known, rows = halves("diabetes")

    assert_same(REGRESSORS[name]().fit(*known), np.vstack([rows, 2 * rows]))


@pytest.mark.parametrize("name", UNSUPERVISED)
def test_clusters_and_outliers(name):
    (known, _), rows = halves("iris")

    assert_same(UNSUPERVISED[name]().fit(known), np.vstack([rows, 2 * rows]))


@pytest.mark.parametrize("name", IMPUTED)
def test_imputers(name):
    (known, labels), rows = halves("wine")
    known, rows = known.copy(), rows.copy()
    for table in (known, rows):
        table[np.random.default_rng(0).random(table.shape) < 0.1] = np.nan

    assert_same(IMPUTED[name]().fit(known, labels), rows)


def test_an_isotonic_curve():
    (known, values), rows = halves("diabetes")
    model = IsotonicRegression(out_of_bounds="clip").fit(known[:, 2], values)

    assert_same(model, np.vstack([rows[:, 2:3], known[:, 2:3], [[-1.0], [1.0]]]))


@pytest.mark.parametrize("name", TWO_OUTPUTS)
def test_two_outputs(name):
    (known, values), rows = halves("diabetes")
    two = np.column_stack([values, known[:, 0]])

    assert_same(TWO_OUTPUTS[name]().fit(known, two), rows)


@pytest.mark.parametrize("name", TWO_LABELS)
def test_two_labels(name):
    (known, labels), rows = halves("wine")
    two = np.column_stack([labels, known[:, 0] > 13]).astype(int)

    assert_same(TWO_LABELS[name]().fit(known, two), rows)


@pytest.mark.parametrize("name", ANY_LABELS)
def test_any_number_of_labels(name):
    (known, labels), rows = halves("iris")
    several = np.column_stack([labels == 0, labels > 0, known[:, 0] > 6]).astype(int)

    assert_same(ANY_LABELS[name]().fit(known, several), rows)


def people(columns):
    table, labels = artifacts.people()
    return table[columns], labels


def as_rows(table):
    """Numbers first, then strings."""
    numbers = table.select_dtypes("number")
    words = [
        [None if pd.isna(one) else one for one in table[name]]
        for name in table.columns.drop(numbers.columns)
    ]
    blocks = [numbers.to_numpy(float), *words] if len(numbers.columns) else words
    return Rows(blocks, len(table))


@pytest.mark.parametrize(
    "encoder",
    [
        OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
        ),
        OrdinalEncoder(min_frequency=60, handle_unknown="use_encoded_value", unknown_value=-1),
        TargetEncoder(random_state=0),
        make_pipeline(
            impute.SimpleImputer(strategy="constant", fill_value="none"),
            OrdinalEncoder(),
        ),
        make_pipeline(
            impute.SimpleImputer(strategy="most_frequent", add_indicator=True),
            OrdinalEncoder(),
        ),
    ],
    ids=["ordinal", "infrequent", "target", "filled", "indicated"],
)
def test_encoded_strings(encoder):
    table, _ = people(["age", "city", "job"])
    table = table.assign(age=table["age"].fillna(40))
    labels = np.digitize(table["age"], [35, 60])
    columns = compose.make_column_transformer((encoder, ["city", "job"]), remainder="passthrough")
    model = make_pipeline(columns, forest()).fit(table, labels)

    assert_same(model, table, as_rows(table))


def test_splits_by_category():
    table, labels = people(["age", "income", "city", "job"])
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = compose.make_column_transformer((encoder, ["city", "job"]), remainder="passthrough")
    boosting = HistGradientBoostingClassifier(max_iter=8, categorical_features=[0, 1])

    assert_same(make_pipeline(columns, boosting).fit(table, labels), table, as_rows(table))


def test_splits_by_numbers_that_are_categories():
    random = np.random.default_rng(0)
    rows = np.column_stack([random.integers(0, 9, 400), random.normal(size=400)]).astype(float)
    labels = ((rows[:, 0] % 3) + rows[:, 1] > 1).astype(int)
    model = HistGradientBoostingClassifier(max_iter=9, categorical_features=[0]).fit(rows, labels)
    strange = [[-1.0, 0.0], [2.5, 0.0], [40.0, 0.0], [258.0, 0.0], [np.nan, 0.0]]

    assert_same(model, np.vstack([rows, strange]))


def test_splits_by_a_categorical_column():
    table, labels = people(["age", "city"])
    table = table.astype({"city": "category"})
    model = HistGradientBoostingClassifier(max_iter=8).fit(table, labels)

    assert_same(model, table, as_rows(table.astype({"city": object})))


def test_trees_inside_a_wrapper_are_summed_finely():
    (known, values), rows = halves("diabetes")
    model = compose.TransformedTargetRegressor(
        GradientBoostingRegressor(n_estimators=20, random_state=0),
        func=np.log1p,
        inverse_func=np.expm1,
    )
    model.fit(known, values)
    _, predictor = compiled(model)

    answer = predictor.predict(matrix(rows), ["predict"])["predict"]

    np.testing.assert_allclose(answer, model.predict(rows), rtol=1e-11)
