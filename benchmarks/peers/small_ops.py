"""One small op of PyTorch from Python, many times: `add 1000` is answered with the milliseconds of a thousand. Or a training step of a
recurrence that is written out in such ops, the same as in small-ops.mjs: `step 10`."""

import json
import sys
import time

import torch

x = {size: torch.ones(size) for size in (8, 4096)}
matrix, row = torch.ones(64, 64), torch.ones(1, 64)

T, B, H, N = 16, 4, 2, 16
inputs = torch.randn(T * B, H * N)
targets = torch.randn(T, B * H, N, 1)
start = torch.zeros(B * H, N, N)
parameters = [torch.nn.Parameter(0.1 * torch.randn(H * N, H * N)) for _ in range(5)]


def loss():
    rows = []
    for i, matrix in enumerate(parameters):
        projected = inputs @ matrix
        if i in (1, 4):
            projected = torch.sigmoid(projected)
        shape = (1, N) if i in (1, 2) else (N, 1)
        rows.append(projected.reshape(T, B * H, *shape).unbind())
    state, reads = start, []
    for r, w, k, v, a in zip(*rows):
        removed = a * (state @ k.transpose(1, 2))
        state = state * w + (v - removed) @ k
        reads.append(state @ r)
    return (torch.stack(reads) - targets).square().mean()


def step():
    with torch.enable_grad():
        value = loss()
        gradients = torch.autograd.grad(value, parameters)
    for parameter, gradient in zip(parameters, gradients):
        parameter -= 0.01 * gradient
    return value


ops = {
    "add": lambda: torch.add(x[8], x[8]),
    "scale": lambda: torch.mul(x[8], 2.0),
    "exp": lambda: torch.exp(x[8]),
    "sum": lambda: torch.sum(x[8]),
    "slice": lambda: matrix[3:4].clone(),
    "concat": lambda: torch.cat([x[8], x[8]]),
    "product": lambda: torch.mm(row, matrix),
    "add 4096": lambda: torch.add(x[4096], x[4096]),
    "forward": loss,
    "step": step,
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
