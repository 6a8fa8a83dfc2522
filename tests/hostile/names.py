"""Pickles that call library functions which read, write, run or connect for them."""

import struct

from tests.hostile.bytes import PROTO, STOP, Bait, call, calling, literal, name


def aliases(bait: Bait) -> dict[str, bytes]:
    """The same call under names that look like a library's own."""
    folder = bait.folder
    module = name("sklearn.datasets._base", "os")
    return {
        "dotted into sklearn": calling("sklearn.datasets._base", "os.mkdir", folder),
        "dotted into joblib": calling("joblib.disk", "os.mkdir", folder),
        "dotted into numpy": calling("numpy.lib._npyio_impl", "os.mkdir", folder),
        "dotted into pandas": calling("pandas.io.common", "os.mkdir", folder),
        "getattr": PROTO + call(call(name("builtins", "getattr"), module, "mkdir"), folder) + STOP,
        "attrgetter": PROTO
        + call(call(call(name("operator", "attrgetter"), "mkdir"), module), folder)
        + STOP,
        "methodcaller": PROTO
        + call(call(name("operator", "methodcaller"), "mkdir", folder), module)
        + STOP,
        "partial": PROTO
        + call(call(name("functools", "partial"), name("posix", "mkdir"), folder))
        + STOP,
        "map": PROTO
        + call(
            name("builtins", "list"),
            call(name("builtins", "map"), name("posix", "mkdir"), [folder]),
        )
        + STOP,
        "reduce": PROTO
        + call(name("functools", "reduce"), name("posix", "mkdir"), [folder, 0o777])
        + STOP,
        "import_module": PROTO
        + call(
            call(
                name("builtins", "getattr"), call(name("importlib", "import_module"), "os"), "mkdir"
            ),
            folder,
        )
        + STOP,
        "resolve_name": PROTO
        + call(call(name("pkgutil", "resolve_name"), "os:mkdir"), folder)
        + STOP,
        "locate": PROTO + call(call(name("pydoc", "locate"), "os.mkdir"), folder) + STOP,
        "Python 2's names": b"\x80\x02" + call(b"c__builtin__\neval\n", _mkdir_source(bait)) + STOP,
    }


def _mkdir_source(bait: Bait) -> str:
    return f"__import__('os').mkdir({bait.folder!r})"


def programs(bait: Bait) -> dict[str, bytes]:
    """Functions that run code or start programs for whoever asks."""
    folder, source = bait.folder, _mkdir_source(bait)
    keywords = literal({"args": ["mkdir", folder]})
    return {
        "os.system": calling("os", "system", f"mkdir {folder}"),
        "subprocess": calling("subprocess", "Popen", ["mkdir", folder]),
        "NEWOBJ of Popen": PROTO
        + name("subprocess", "Popen")
        + b"("
        + literal(["mkdir", folder])
        + b"t\x81.",
        "NEWOBJ_EX of Popen": PROTO + name("subprocess", "Popen") + b")" + keywords + b"\x92.",
        "eval": calling("builtins", "eval", source),
        "exec": calling("builtins", "exec", source),
        "timeit": calling("timeit", "timeit", source),
        "cProfile": calling("cProfile", "run", source),
        "pdb": calling("pdb", "run", source),
        "bdb": PROTO + call(name("bdb", "Bdb.run"), call(name("bdb", "Bdb")), source) + STOP,
        "code": PROTO
        + call(
            name("code", "InteractiveInterpreter.runsource"),
            call(name("code", "InteractiveInterpreter")),
            source,
        )
        + STOP,
        "runpy": calling("runpy", "run_path", bait.secret),
        "numpy's runstring": calling("numpy.testing", "runstring", source, {}),
        "numpy's f2py": calling("numpy.f2py.diagnose", "run_command", f"mkdir {folder}"),
        "pandas.eval": calling("pandas", "eval", "@pd.io.common.os.getcwd()"),
        "uuid": calling("uuid", "_get_command_stdout", "mkdir", folder),
        "marshal": calling("marshal", "loads", b"C\x04None"),
        "types.CodeType": calling("types", "CodeType", 0, 0, 0, 0, 0, 0),
        "a pickle in bytes": calling("pickle", "loads", b"B" + _sized(_mkdir_pickle(bait))),
        "multiprocessing": calling("multiprocessing.util", "spawnv_passfds", b"/bin/mkdir", [], []),
        "a timer": PROTO
        + call(
            name("threading", "Timer.start"),
            call(name("threading", "Timer"), 0, name("posix", "mkdir")),
        )
        + STOP,
        "a dotted import of ours": calling("registry.runner.scan", "sys.modules.clear"),
        "a library by ctypes": calling("ctypes", "CDLL", "libc.so.6"),
        "numpy's load_library": calling("numpy.ctypeslib", "load_library", "libc", "/lib"),
        "pip": calling("pip", "main", ["--version"]),
    }


def _mkdir_pickle(bait: Bait) -> bytes:
    return calling("posix", "mkdir", bait.folder)


def _sized(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content


def readers(bait: Bait) -> dict[str, bytes]:
    """Functions that read, write or name files."""
    secret, folder = bait.secret, bait.folder
    return {
        "open": calling("builtins", "open", secret),
        "io.FileIO": calling("_io", "FileIO", secret),
        "np.fromfile": calling("numpy", "fromfile", secret, "u1"),
        "np.load": calling("numpy", "load", secret, None, True),
        "np.memmap": calling("numpy", "memmap", secret),
        "np.genfromtxt": calling("numpy", "genfromtxt", secret, "S100"),
        "np.savetxt": calling("numpy", "savetxt", folder, [1.0]),
        "np.DataSource": PROTO
        + call(name("numpy.lib._datasource", "open"), f"http://127.0.0.1:{bait.port}/")
        + STOP,
        "joblib.load": calling("joblib", "load", secret),
        "joblib.Memory": calling("joblib", "Memory", folder),
        "joblib.dump": calling("joblib", "dump", [1], folder),
        "pd.read_pickle": calling("pandas", "read_pickle", secret),
        "pd.read_csv": calling("pandas", "read_csv", secret),
        "scipy.io.loadmat": calling("scipy.io", "loadmat", secret),
        "load_svmlight_file": calling("sklearn.datasets", "load_svmlight_file", secret),
        "load_files": calling("sklearn.datasets", "load_files", "/etc"),
        "sqlite3": calling("sqlite3", "connect", folder),
        "shelve": calling("shelve", "open", folder),
        "logging to a file": calling("logging", "FileHandler", folder),
        "mkdtemp": calling("tempfile", "mkdtemp", "", "", folder.rpartition("/")[0]),
        "shutil.copy": calling("shutil", "copy", secret, folder),
        "linecache": calling("linecache", "getlines", secret),
        "fileinput": PROTO
        + call(name("builtins", "list"), call(name("fileinput", "input"), [secret]))
        + STOP,
        "pathlib": PROTO
        + call(name("pathlib", "Path.read_text"), call(name("pathlib", "PosixPath"), secret))
        + STOP,
        "tarfile": calling("tarfile", "open", secret),
        "pyarrow.memory_map": calling("pyarrow", "memory_map", secret),
        "pyarrow.csv": calling("pyarrow.csv", "read_csv", secret),
        "onnxruntime": calling("onnxruntime", "InferenceSession", secret),
        "onnx.load": calling("onnx", "load", secret),
        "lightgbm.Booster": calling("lightgbm", "Booster", None, None, secret),
        "xgboost.DMatrix": calling("xgboost", "DMatrix", f"{secret}?format=libsvm"),
        "catboost.Pool": calling("catboost", "Pool", secret),
        "a joblib file of several": _legacy_wrapper("NDArrayWrapper", secret),
        "a compressed one of several": _legacy_wrapper("ZNDArrayWrapper", secret),
    }


def _legacy_wrapper(kind: str, path: str) -> bytes:
    state = {"filename": path, "subclass": None, "allow_mmap": False, "shape": (1,), "state": {}}
    wrapper = name("joblib.numpy_pickle_compat", kind) + b")\x81"
    return PROTO + wrapper + literal(state) + b"b."


def callers(bait: Bait) -> dict[str, bytes]:
    """Functions that reach for the network."""
    url, where = f"http://127.0.0.1:{bait.port}/", ("127.0.0.1", bait.port)
    return {
        "urlopen": calling("urllib.request", "urlopen", url),
        "create_connection": calling("socket", "create_connection", where),
        "SMTP": calling("smtplib", "SMTP", *where),
        "FTP": calling("ftplib", "FTP", f"127.0.0.1:{bait.port}"),
        "IMAP4": calling("imaplib", "IMAP4", *where),
        "POP3": calling("poplib", "POP3", *where),
        "a web page as a table": calling("pandas", "read_csv", url),
        "a browser": calling("webbrowser", "open", url),
        "a syslog": PROTO
        + call(
            name("logging.handlers", "SocketHandler.createSocket"),
            call(name("logging.handlers", "SocketHandler"), *where),
        )
        + STOP,
        "asyncio": calling("asyncio", "run", None),
        "fetch_openml": calling("sklearn.datasets", "fetch_openml", "iris"),
    }


def patches(bait: Bait) -> dict[str, bytes]:
    """Files that overwrite what opens them."""
    source = "lambda *a, **k: None"
    return {
        "BUILD on a class": PROTO
        + name("sklearn.linear_model._logistic", "LogisticRegression")
        + literal({"predict": None})
        + b"b.",
        "BUILD on a module": PROTO
        + name("sklearn.datasets._base", "os")
        + literal({"mkdir": None})
        + b"b.",
        "an item of os.environ": PROTO
        + name("sklearn.datasets._base", "os.environ")
        + literal("PATH")
        + literal("/bin")
        + b"s.",
        "an item of sys.modules": PROTO
        + name("sklearn.base", "warnings.sys.modules")
        + literal("onnx")
        + b"Ns.",
        "setattr": calling(
            "builtins", "setattr", name("joblib", "numpy_pickle"), "NumpyUnpickler", source
        ),
        "our own Refused": calling("registry.runner.refusals", "Refused", "fine", "fine"),
        "copyreg.pickle": calling(
            "copyreg", "pickle", name("builtins", "dict"), name("posix", "mkdir")
        ),
    }
