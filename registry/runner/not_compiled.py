"""Why a model is served as it is instead of as a graph."""


class NotCompiled(Exception):
    """The message says in plain words what has no exact graph."""
