"""What a skops file may be made of: our list, whatever the file or the library would trust.

Names are looked up in what is loaded already: a file imports nothing.
"""

import collections
import functools
import sys
from typing import Any

import catboost
import lightgbm
import numpy as np
import scipy.interpolate
import scipy.sparse
import sklearn.base
import xgboost
from sklearn.gaussian_process.kernels import Kernel
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit
from sklearn.utils import Bunch

LIBRARIES = ("sklearn", "xgboost", "lightgbm", "catboost")
PLAIN = (
    bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict, slice,
    type(None), collections.OrderedDict, collections.defaultdict, functools.partial,
    np.ndarray, np.dtype, np.ma.MaskedArray, np.random.RandomState, np.random.Generator,
    scipy.interpolate.interp1d, scipy.interpolate.BSpline,
)  # fmt: skip
# Families of classes, of which a library's own members are let in.
FAMILIES = (
    sklearn.base.BaseEstimator, BaseCrossValidator, BaseShuffleSplit, Kernel, Bunch,
    np.generic, scipy.sparse.spmatrix, scipy.sparse.sparray,
    xgboost.Booster, lightgbm.Booster, catboost.CatBoost,
)  # fmt: skip
# Parts of estimators that have no family: losses, links, trees, bins.
PARTS = """
    sklearn.tree._tree.Tree sklearn.calibration._CalibratedClassifier
    sklearn.neighbors._kd_tree.KDTree sklearn.neighbors._kd_tree.KDTree64
    sklearn.neighbors._ball_tree.BallTree sklearn.neighbors._ball_tree.BallTree64
    sklearn.metrics._dist_metrics.EuclideanDistance64
    sklearn.metrics._dist_metrics.MinkowskiDistance64
    sklearn.ensemble._hist_gradient_boosting.binning._BinMapper
    sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor
    sklearn.metrics._scorer._Scorer sklearn.metrics._scorer._PassthroughScorer
    sklearn.cluster._birch._CFNode sklearn.cluster._birch._CFSubcluster
    sklearn.cluster._bisect_k_means._BisectingTree sklearn.impute._iterative._ImputerTriplet
    sklearn.neural_network._stochastic_optimizers.AdamOptimizer
    sklearn.neural_network._stochastic_optimizers.SGDOptimizer
"""
PART_MODULES = ("sklearn._loss.", "_loss", "sklearn.linear_model._sgd_fast")
# Pure arithmetic that FunctionTransformer and SelectKBest are given.
FUNCTIONS = """
    scipy._lib.array_api_compat.numpy._aliases.asarray
    sklearn.cluster._kmeans._kmeans_single_lloyd sklearn.cluster._kmeans._kmeans_single_elkan
    numpy.nan_to_num numpy.round numpy.around numpy.clip numpy.mean numpy.median numpy.sum
    sklearn.feature_selection._univariate_selection.f_classif
    sklearn.feature_selection._univariate_selection.f_regression
    sklearn.feature_selection._univariate_selection.r_regression
    sklearn.feature_selection._univariate_selection.chi2
    sklearn.feature_selection._mutual_info.mutual_info_classif
    sklearn.feature_selection._mutual_info.mutual_info_regression
    sklearn.metrics._classification.accuracy_score sklearn.metrics._classification.f1_score
    sklearn.metrics._ranking.roc_auc_score sklearn.metrics._regression.r2_score
    sklearn.metrics._regression.mean_squared_error
    sklearn.metrics._regression.mean_absolute_error
"""
ALLOWED_NAMES = frozenset((PARTS + FUNCTIONS).split())

# Of the kinds of nodes only those that build what they name; none that calls a method
# (MethodNode) or an operator (OperatorFuncNode).
_NODES = """
    CachedNode JsonNode DictNode DefaultDictNode ListNode SetNode TupleNode SliceNode BytesNode
    BytearrayNode TypeNode FunctionNode PartialNode ObjectNode ConstructorFromReduceNode
    NdArrayNode MaskedArrayNode DTypeNode RandomStateNode RandomGeneratorNode SparseMatrixNode
    TreeNode LossNode
"""
NODES = frozenset(_NODES.split())


def is_allowed(module: str, name: str) -> bool:
    """Whether a file may be made of this class or function."""
    found = _looked_up(module, name)
    if found is None or name.startswith("__"):
        return False
    if isinstance(found, np.ufunc) or f"{module}.{name}" in ALLOWED_NAMES:
        return True
    if not isinstance(found, type):
        return False
    if found in PLAIN:
        return True
    is_part = module.startswith(PART_MODULES) and found.__module__ == module
    return is_part or (issubclass(found, FAMILIES) and _is_of_library(found))


def is_known(module: str, name: str) -> bool:
    """Whether it exists here at all."""
    return _looked_up(module, name) is not None


def _looked_up(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None) if "." not in name else None


def _is_of_library(found: type) -> bool:
    root = found.__module__.partition(".")[0]
    return root in (*LIBRARIES, "numpy", "scipy", "_catboost")
