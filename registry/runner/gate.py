def check(graph): pass
