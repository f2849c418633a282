"""Times float32 matrix products of numpy and PyTorch, whichever are there: one JSON line, milliseconds by name and size."""

import json
import sys
import time


def best(run, rounds=7):
    run()
    least = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - begin)
    return 1000 * least


sizes = [int(size) for size in sys.argv[1:]]
found = {}
try:
    import numpy

    name = f"numpy {numpy.__version__}"
    found[name] = {}
    for n in sizes:
        a, b = (numpy.random.rand(n, n).astype("float32") for _ in range(2))
        out = numpy.empty((n, n), "float32")
        found[name][n] = best(lambda: numpy.matmul(a, b, out=out))
except ImportError:
    pass
try:
    import torch

    name = f"PyTorch {torch.__version__}"
    found[name] = {}
    for n in sizes:
        a, b = (torch.rand(n, n) for _ in range(2))
        out = torch.empty(n, n)
        found[name][n] = best(lambda: torch.matmul(a, b, out=out))
except ImportError:
    pass
print(json.dumps(found))
