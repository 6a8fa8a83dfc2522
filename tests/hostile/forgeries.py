"""Files whose code turns the program around it, and models that are not what they say."""

from textwrap import dedent

from tests.hostile.bytes import Bait
from tests.hostile.programs import PRELUDE, estimator, running


def forgeries(bait: Bait) -> dict[str, bytes]:
    """Programs that turn the code around them: what they make it answer must not be believed."""
    frame = "b'\\0\\0\\0\\2\\0\\0\\0\\0{}'"
    tricks = {
        "answers early": f"""
            for fd in range(3, 64):
                try:
                    os.write(fd, {frame})
                except OSError:
                    pass
            model = honest
        """,
        "answers early and for ever": f"""
            while True:
                for fd in range(4, 6):
                    try:
                        os.write(fd, {frame} * 1000)
                    except OSError:
                        pass
        """,
        "announces a long answer": """
            for fd in range(3, 64):
                try:
                    os.write(fd, struct.pack("!II", 16 << 20, 256 << 20))
                except OSError:
                    pass
            while True: pass
        """,
        "announces too long an answer": """
            for fd in range(3, 64):
                try:
                    os.write(fd, struct.pack("!II", 0xFFFFFFFF, 0xFFFFFFFF))
                except OSError:
                    pass
        """,
        "drips its answer": """
            import time
            for fd in range(4, 6):
                try:
                    os.write(fd, struct.pack("!II", 1000, 0))
                    while True:
                        os.write(fd, b" ")
                        time.sleep(0.01)
                except OSError:
                    pass
        """,
        "replaces the frames": """
            from registry.runner import frames
            frames.pack = lambda header, buffers=(): [b"\\xff" * 64]
            model = honest
        """,
        "replaces the reader of signatures": """
            from registry.runner import inspector
            inspector.read_signature = lambda estimator: None
            model = honest
        """,
        "reports rubbish": """
            from registry.runner import inspector
            inspector.inspect = lambda file, fmt: ({"signature": [[]], "methods": 5}, [b"x"])
            from registry.runner import host
            host.inspector.inspect = inspector.inspect
            class Rude(BaseException): pass
            for one in gc.get_objects():
                if type(one).__name__ == "Request":
                    one.reply({"report": {"signature": {"inputs": 5}, "methods": [[]]},
                               "graph_sizes": [1 << 40]})
            model = honest
        """,
        "reports without end": """
            for one in gc.get_objects():
                if type(one).__name__ == "Request":
                    one.reply({"report": {str(n): [n] * 20 for n in range(150_000)},
                               "graph_sizes": []})
            model = honest
        """,
        "reports too deep": """
            for one in gc.get_objects():
                if type(one).__name__ == "Request":
                    text = b'{"report": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b'}, "graph_sizes": []}'
                    one.client.write([struct.pack("!II", len(text), 0) + text])
            model = honest
        """,
        "claims a graph that is none": """
            for one in gc.get_objects():
                if type(one).__name__ == "Request":
                    one.reply({"report": {}, "graph_sizes": [4]}, [b"ORTM"])
            os._exit(0)
        """,
        "claims an error of its own": """
            for one in gc.get_objects():
                if type(one).__name__ == "Request":
                    one.fail("<script>alert(1)</script>", "\\x1b[2J\\u202eall is well" * 100)
            os._exit(0)
        """,
        "answers as another format": """
            for one in gc.get_objects():
                if type(one).__name__ == "Request":
                    one.reply({"report": {"format": "elf", "imports": 5, "findings": {}}})
            os._exit(0)
        """,
        "turns isinstance and len": """
            import builtins
            builtins.isinstance = lambda *given: True
            builtins.len = lambda one: 1 << 62
            model = honest
        """,
        "turns json": """
            import orjson
            from registry.runner import frames
            class Liar: dumps = staticmethod(lambda *a, **k: b"[" * 1000); loads = orjson.loads
            frames.orjson = Liar
            model = honest
        """,
        "leaves hooks behind": """
            import atexit, threading, warnings
            atexit.register(os._exit, 7)
            sys.settrace(lambda *a: os._exit(8))
            sys.setprofile(lambda *a: os._exit(9))
            sys.excepthook = sys.unraisablehook = lambda *a: os._exit(10)
            model = honest
        """,
        "hangs an audit hook": """
            sys.addaudithook(lambda event, given: 1 / 0)
            model = honest
        """,
        "takes all modules away": "sys.modules.clear()\nmodel = honest",
        "takes all objects apart": """
            for one in gc.get_objects():
                if isinstance(one, dict) and "read_signature" in one:
                    one.clear()
            model = honest
        """,
        "collects at the wrong moment": """
            class Late:
                def __del__(self): os._exit(11)
            late = Late()
            late.itself = late
            gc.set_threshold(1)
            model = honest
            model.late = late
        """,
    }
    return {one: running(PRELUDE + dedent(source)) for one, source in tricks.items()}


def liars(bait: Bait) -> dict[str, bytes]:
    """Models that are not what they say."""
    bodies = {
        "a class that lies": "__class__ = property(lambda self: __import__('sklearn.linear_model').linear_model.LogisticRegression)",
        "a width of 10^12": "n_features_in_ = 10**12",
        "a width of text": "n_features_in_ = 'two'",
        "a width of minus five": "n_features_in_ = -5",
        "a million names": "feature_names_in_ = [str(n) for n in range(1_000_000)]\nn_features_in_ = 1_000_000",
        "names that cannot be written": """
            class Odd(str):
                def __str__(self): raise ValueError
            feature_names_in_ = [Odd('a'), Odd('b')]
        """,
        "names full of tricks": "feature_names_in_ = ['<b>\\x00\\u202e', '=1+1' * 1000]",
        "names twice": "feature_names_in_ = ['a', 'a']",
        "a predict that is a text": "predict = 'predict'",
        "an answer of 10^13": "def predict(self, rows): return np.broadcast_to(0.0, (10**13,))",
        "an answer too long": "def predict(self, rows): return np.zeros(1000)",
        "an answer of objects": "def predict(self, rows): return [object()]",
        "an answer that converts itself": """
            def predict(self, rows):
                class Odd:
                    def __array__(self, *given, **more): raise SystemExit
                return Odd()
        """,
        "an answer of endless length": """
            def predict(self, rows):
                class Odd:
                    def __len__(self): return 1 << 40
                    def __getitem__(self, n): return 1.0
                return Odd()
        """,
        "an answer without end": """
            def predict(self, rows):
                import itertools
                return list(itertools.repeat(1))
        """,
        "other answers each time": """
            def predict(self, rows): return np.random.default_rng().normal(size=len(rows))
        """,
        "hostile from the third call on": """
            calls = 0
            def predict(self, rows):
                Model.calls += 1
                if Model.calls > 3: __import__('os')._exit(0)
                return np.zeros(len(rows))
        """,
        "probabilities beyond all": """
            classes_ = np.array(['<script>', None, 1.5], dtype=object)
            def predict_proba(self, rows): return np.full((len(rows), 3), np.nan)
        """,
        "a million classes": """
            classes_ = np.arange(1_000_000)
            def predict_proba(self, rows): return np.zeros((len(rows), 1_000_000))
        """,
        "parameters that explode": """
            def get_params(self, deep=True): return {'x' * 10**6: [[[[self]]]] * 10**5}
        """,
        "a metaclass that lies": """
            class Meta(type):
                def __instancecheck__(cls, one): return True
                def __getattribute__(cls, name): raise KeyError(name)
            def predict(self, rows): return type('Odd', (), {})
        """,
        "steps that hold themselves": """
            def __init__(self): self.steps = [('again', self)]
        """,
        "an attribute for everything": """
            def __getattr__(self, name): return self
            def __call__(self, *given, **more): return self
            def __iter__(self): return self
            def __next__(self): return self
        """,
        "equal to everything": """
            __eq__ = lambda self, other: True
            __hash__ = lambda self: 0
            __bool__ = lambda self: 1 / 0
        """,
    }
    return {one: estimator(body) for one, body in bodies.items()}
