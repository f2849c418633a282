"""RWKV-7's recurrence as one operator of PyTorch on the CPU, in C++: compiled at the first use, which takes a minute."""

from pathlib import Path

import torch
from torch.utils.cpp_extension import load

operator = load(
    name="metastate_peer_wkv7",
    sources=[str(Path(__file__).with_name("wkv7_op.cpp"))],
    extra_cflags=["-O3", "-march=native", "-ffast-math"],
)


class Recurrence(torch.autograd.Function):
    """r, w, k, v, a, b `[B, T, H, N]` and the state `[B, H, N, N]` give y and the state after them."""

    @staticmethod
    def forward(ctx, *operands):
        operands = [x.contiguous() for x in operands]
        y, last, kept = operator.forward(*operands)
        ctx.save_for_backward(*operands[:6], kept)
        return y, last

    @staticmethod
    def backward(ctx, dy, dlast):
        return tuple(operator.backward(*ctx.saved_tensors, dy.contiguous(), dlast.contiguous()))
