"""The formats of uploaded models. No framework in here: the runner imports it too."""

# joblib, pickle and cloudpickle are one format: what differs is who wrote the opcodes.
SKLEARN = "sklearn"
FORMATS = (SKLEARN,)

# What a host is told to load when it is a graph that an inspector compiled.
GRAPH = "graph"


def sniff(content: bytes) -> str:
    """The format by the bytes alone: a file's name and its owner's word are no evidence."""
    return SKLEARN
