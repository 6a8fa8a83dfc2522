"""Graphs ready to run: on one thread, as little memory kept as can be."""

import onnxruntime

from registry.runner.refusals import Refused


def open_session(graph: bytes) -> onnxruntime.InferenceSession:
    """A session on one thread, without an arena. Raises Refused if the runtime refuses it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except MemoryError:
        raise
    except Exception as error:
        reason = f"The runtime does not accept the graph: {str(error)[:200]}"
        raise Refused("graph_refused", reason) from None
