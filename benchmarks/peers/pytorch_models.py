"""RWKV-7 and Meta-State in PyTorch eager, their recurrences as one C++ operator: a training step and a token, timed on request.

    pytorch_models.py '{"vocabSize": 256, "width": 128, …, "sse": "sse", "batchSize": 4, "length": 256}'

The equations are those of tests/parity/reference.py, which the library is held against, with its loop over time replaced.
Answers a line of standard input, `train` or `token`, with a line of milliseconds. The first line says what is there.
"""

import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
import one_operator
from torch.utils.cpp_extension import load

operator = load(
    name="metastate_peer_wkv7",
    sources=[str(Path(__file__).with_name("wkv7_op.cpp"))],
    extra_cflags=["-O3", "-march=native", "-ffast-math"],
)


class Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *operands):
        operands = [x.contiguous() for x in operands]
        y, last, kept = operator.forward(*operands)
        ctx.save_for_backward(*operands[:6], kept)
        return y, last

    @staticmethod
    def backward(ctx, dy, dlast):
        return tuple(operator.backward(*ctx.saved_tensors, dy.contiguous(), dlast.contiguous()))


reference = one_operator.use(Recurrence.apply)


def main():
    asked = json.loads(sys.argv[1])
    batch, length, threads = asked.pop("batchSize"), asked.pop("length"), asked.pop("threads")
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    asked["lowRank"] = tuple(asked["lowRank"].items())
    c = reference.Configuration(**asked)
    p = {name: 0.1 * torch.randn(shape) for name, shape in reference.parameter_shapes(c)}
    for value in p.values():
        value.requires_grad_()
    optimizer = torch.optim.AdamW(p.values(), lr=1e-4, betas=(0.9, 0.99), eps=1e-10, weight_decay=0.1)
    tokens = torch.randint(c.vocabSize, (batch, length + 1))

    def zeros(rows):
        return [{part: torch.zeros(s) for part, s in reference.state_shapes(c, rows).items()} for _ in range(c.layers)]

    def train():
        logits, _ = reference.forward(c, p, tokens[:, :-1], zeros(batch))
        loss = F.cross_entropy(logits.reshape(-1, c.vocabSize), tokens[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
        optimizer.step()
        loss.item()

    held = {"state": zeros(1)}

    @torch.no_grad()
    def token():
        logits, held["state"] = reference.forward(c, p, tokens[:1, :1], held["state"])
        logits.sum().item()

    count = sum(value.numel() for value in p.values())
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "parameters": count}), flush=True)
    for line in sys.stdin:
        run = {"train": train, "token": token}[line.strip()]
        begin = time.perf_counter()
        run()
        print(1000 * (time.perf_counter() - begin), flush=True)


main()
