"""The formats of uploaded models. No framework in here: the runner imports it too."""

# joblib, pickle and cloudpickle are one format: what differs is who wrote the opcodes.
SKLEARN = "sklearn"
XGBOOST = "xgboost"
LIGHTGBM = "lightgbm"
CATBOOST = "catboost"
FORMATS = (SKLEARN, XGBOOST, LIGHTGBM, CATBOOST)

# What a host is told to load when it is a graph that an inspector compiled.
GRAPH = "graph"


def sniff(content: bytes) -> str:
    """The format by the bytes alone: a file's name and its owner's word are no evidence."""
    if _is_xgboost(content):
        return XGBOOST
    if content.startswith((b"tree\n", b"tree\r\n")):
        return LIGHTGBM
    if content.startswith(b"CBM1"):
        return CATBOOST
    return SKLEARN


def _is_xgboost(content: bytes) -> bool:
    """JSON or UBJSON with a learner, or the binary format that XGBoost gave up in 3.1."""
    if content.startswith((b"binf", b"bs64")):
        return True
    return content[:64].lstrip()[:1] == b"{" and b"learner" in content
