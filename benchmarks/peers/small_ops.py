"""One small op of PyTorch from Python, many times: `add 1000` is answered with the milliseconds of a thousand."""

import json
import sys
import time

import torch

x = {size: torch.ones(size) for size in (8, 4096)}
matrix, row = torch.ones(64, 64), torch.ones(1, 64)
ops = {
    "add": lambda: torch.add(x[8], x[8]),
    "scale": lambda: torch.mul(x[8], 2.0),
    "exp": lambda: torch.exp(x[8]),
    "sum": lambda: torch.sum(x[8]),
    "slice": lambda: matrix[3:4].clone(),
    "concat": lambda: torch.cat([x[8], x[8]]),
    "product": lambda: torch.mm(row, matrix),
    "add 4096": lambda: torch.add(x[4096], x[4096]),
}

print(json.dumps({"name": f"PyTorch {torch.__version__}"}), flush=True)
with torch.no_grad():
    for line in sys.stdin:
        name, count = line.strip().rsplit(" ", 1)
        op = ops[name]
        begin = time.perf_counter()
        for _ in range(int(count)):
            op()
        print(1000 * (time.perf_counter() - begin), flush=True)
