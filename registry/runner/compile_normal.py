"""Quantiles of the normal distribution as a float64 graph, by the ratios SciPy computes them with.

There is no operator for them. The ratios of polynomials are those of Cephes' ndtri
(S. Moshier), which is what `scipy.special.ndtri` runs.
"""

import numpy as np

from registry.runner.graph_builder import GraphBuilder

TAIL = 0.13533528323661269189  # exp(-2)
FAR = 8.0
ROOT = 2.50662827463100050242  # sqrt(2 pi)
MIDDLE = (
    [-59.9633501014107895267, 98.0010754185999661536, -56.6762857469070293439,
     13.9312609387279679503, -1.23916583867381258016],
    [1.0, 1.95448858338141759834, 4.67627912898881538453, 86.3602421390890590575,
     -225.462687854119370527, 200.260212380060660359, -82.0372256168333339912,
     15.9056225126211695515, -1.18331621121330003142],
)  # fmt: skip
NEAR_TAIL = (
    [4.05544892305962419923, 31.5251094599893866154, 57.1628192246421288162,
     44.0805073893200834700, 14.6849561928858024014, 2.18663306850790267539,
     -0.140256079171354495875, -0.0350424626827848203418, -0.000857456785154685413611],
    [1.0, 15.7799883256466749731, 45.3907635128879210584, 41.3172038254672030440,
     15.0425385692907503408, 2.50464946208309415979, -0.142182922854787788574,
     -0.0380806407691578277194, -0.000933259480895457427372],
)  # fmt: skip
FAR_TAIL = (
    [3.23774891776946035970, 6.91522889068984211695, 3.93881025292474443415,
     1.33303460815807542389, 0.201485389549179081538, 0.0123716634817820021358,
     0.000301581553508235416007, 2.65806974686737550832e-6, 6.23974539184983293730e-9],
    [1.0, 6.02427039364742014255, 3.67983563856160859403, 1.37702099489081330271,
     0.216236993594496635890, 0.0134204006088543189037, 0.000328014464682127739104,
     2.89247864745380683936e-6, 6.79019408009981274425e-9],
)  # fmt: skip


def normal_quantiles(graph: GraphBuilder, share: str) -> str:
    """Where the normal distribution has reached each share, of shares between 0 and 1."""
    one = graph.constant(1.0)
    is_high = graph.add("Greater", share, graph.constant(1.0 - TAIL))
    low = graph.add("Where", is_high, graph.add("Sub", one, share), share)
    is_middle = graph.add("Greater", low, graph.constant(TAIL))
    tail = _tail(graph, low)
    tail = graph.add("Where", is_high, tail, graph.add("Neg", tail))
    return graph.add("Where", is_middle, _middle(graph, low), tail)


def _middle(graph: GraphBuilder, share: str) -> str:
    offset = graph.add("Sub", share, graph.constant(0.5))
    square = graph.add("Mul", offset, offset)
    ratio = graph.add("Mul", square, _ratio(graph, square, MIDDLE))
    grown = graph.add("Add", offset, graph.add("Mul", offset, ratio))
    return graph.add("Mul", grown, graph.constant(ROOT))


def _tail(graph: GraphBuilder, share: str) -> str:
    """How far out the smaller share is, on either side."""
    kept = graph.add("Min", share, graph.constant(TAIL))  # the middle's would be no number here
    root = graph.add("Sqrt", graph.add("Mul", graph.add("Log", kept), graph.constant(-2.0)))
    start = graph.add("Sub", root, graph.add("Div", graph.add("Log", root), root))
    inverse = graph.add("Reciprocal", root)
    is_near = graph.add("Less", root, graph.constant(FAR))
    ratios = [_ratio(graph, inverse, known) for known in (NEAR_TAIL, FAR_TAIL)]
    ratio = graph.add("Where", is_near, *ratios)
    return graph.add("Sub", start, graph.add("Mul", inverse, ratio))


def _ratio(graph: GraphBuilder, value: str, known: tuple[list[float], list[float]]) -> str:
    return graph.add("Div", *(_polynomial(graph, value, factors) for factors in known))


def _polynomial(graph: GraphBuilder, value: str, factors: list[float]) -> str:
    """By Horner's rule, the greatest power first."""
    total = graph.constant(np.float64(factors[0]))
    for factor in factors[1:]:
        total = graph.add("Add", graph.add("Mul", total, value), graph.constant(factor))
    return total
