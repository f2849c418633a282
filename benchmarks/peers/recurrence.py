"""The C++ operator of RWKV-7's recurrence in PyTorch, timed on request.

    recurrence.py 2        how many threads

A line `forward 1 512 12 64 20` of standard input, the pass, `[B, T, H, N]` and milliseconds, is answered with the milliseconds of
one call, the mean of as many as take about that long. Both passes are called without autograd, which would add to them. The
first line says what is there.
"""

import json
import math
import sys
import time

import torch
from cpu_recurrence import operator

torch.set_num_threads(int(sys.argv[1]))
torch.set_grad_enabled(False)
torch.manual_seed(1)
print(json.dumps({"name": f"PyTorch {torch.__version__}"}), flush=True)


def calls(batch, length, heads, size):
    """Both passes on operands as a model makes them: a removal key of about unit length, half of which is put back."""

    def uniform(low, high, *shape):
        return torch.rand(shape or (batch, length, heads, size)) * (high - low) + low

    removal = uniform(-1, 1) * math.sqrt(3 / size)
    operands = [uniform(-1, 1), uniform(0.545, 0.999), uniform(-1, 1), uniform(-1, 1), -removal, removal / 2]
    state, dy, dlast = (uniform(-1, 1, batch, heads, size, size), uniform(-1, 1), uniform(-1, 1, batch, heads, size, size))
    kept = operator.forward(*operands, state)[2]
    return {
        "forward": lambda: operator.forward(*operands, state),
        "backward": lambda: operator.backward(*operands, kept, dy, dlast),
    }


held = (None, None)
for line in sys.stdin:
    which, *shape, wanted = line.split()
    if held[0] != shape:
        held = (shape, calls(*(int(value) for value in shape)))
    call = held[1][which]
    begin = time.perf_counter()
    count, spent = 0, 0.0
    while spent < float(wanted):
        call()
        count += 1
        spent = 1000 * (time.perf_counter() - begin)
    print(spent / count, flush=True)
