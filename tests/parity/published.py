"""Writes the fixture that comes from the published RWKV-7 code, not from a reimplementation of it.

    pip install rwkv                       BlinkDL's inference package (0.8.32 made the fixture)
    python tests/parity/published.py       writes fixtures/published/rwkv7.{pth,expected.safetensors}

Needs PyTorch 1.13 or newer, any CPU build. The checkpoint has the layout and the bfloat16 of published ones, the first
layer's unused value residual included; its values are drawn by a seed. The package computes in float32.
"""

import os
import pathlib
import random
import sys
import tempfile
from dataclasses import replace

os.environ.update(RWKV_V7_ON="1", RWKV_JIT_ON="1", RWKV_CUDA_ON="0")

import torch

import safetensors_file
from make import FIXTURES, TIME
from reference import Configuration, parameter_shapes

FOLDER = FIXTURES / "published"
NAME = "rwkv7"
ranks = (("decay", 8), ("rate", 8), ("value", 8), ("gate", 16))
CASE = replace(
    Configuration(),
    vocabSize=24, width=128, layers=2, heads=2, headSize=64, parameterTokens=48, lowRank=ranks, sse="none",
)  # fmt: skip


def checkpoint(case):
    """Parameters by name, as RWKV-LM writes them: bfloat16."""
    generator = random.Random("published " + NAME)
    shapes = dict(parameter_shapes(case))
    for part, shape in (("v0", (1, 1, case.inner)), ("v1", (case.width, 8)), ("v2", (8, case.inner))):
        shapes["blocks.0.att." + part] = shape  # in the files, read by nothing
    parameters = {}
    for name, shape in shapes.items():
        last = name.split(".")[-1]
        centre = 1.0 if "ln" in name and last == "weight" else 0.5 if last.startswith("x_") else 0.0
        matrix = len(shape) == 2 and (last == "weight" or last[-1] in "12")
        scale = 1.0 if name == "emb.weight" else 0.8 * max(shape) ** -0.5 if matrix else 0.4
        values = [generator.gauss(centre, scale) for _ in range(torch.Size(shape).numel())]
        parameters[name] = torch.tensor(values, dtype=torch.float32).view(shape).bfloat16()
    return parameters, [[generator.randrange(case.vocabSize) for _ in range(TIME)] for _ in range(2)]


def published(path, rows):
    """Logits [B, T, V] and the parts of the state after the last token, by the package."""
    load = torch.load
    torch.load = lambda file, map_location, mmap: load(file, map_location=map_location)  # PyTorch 1.13 has no mmap
    from rwkv.model import RWKV_x070

    model = RWKV_x070(str(path.with_suffix("")), "cpu fp32")
    logits, states = zip(*(model.forward(row, None, full_output=True) for row in rows))
    parts = {}
    for layer in range(CASE.layers):
        for at, part in enumerate(("attShift", "wkv", "ffnShift")):
            parts[f"state.layers.{layer}.{part}"] = torch.stack([state[3 * layer + at] for state in states]).float()
    return {"logits": torch.stack(logits).float(), **parts}


def main():
    torch.set_num_threads(1)
    parameters, rows = checkpoint(CASE)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{NAME}.pth"
        torch.save(parameters, path)
        expected = published(path, rows)
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / path.name).write_bytes(path.read_bytes())
    made_by = {"made by": "python tests/parity/published.py"}
    tokens = {"tokens": torch.tensor(rows, dtype=torch.int32)}
    safetensors_file.write(FOLDER / f"{NAME}.expected.safetensors", {**tokens, **expected}, made_by)


if __name__ == "__main__":
    sys.exit(main())
