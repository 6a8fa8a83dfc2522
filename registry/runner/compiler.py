from dataclasses import dataclass, field
@dataclass
class Compiled:
    graphs: list = field(default_factory=list)
    precisions: list = field(default_factory=list)
    reason: str|None = "todo"
def compile_estimator(reading): return Compiled()
