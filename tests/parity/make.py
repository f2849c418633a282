"""Writes the fixtures that the library is compared with, by the PyTorch implementation beside this file.

    python tests/parity/make.py            writes fixtures/
    python tests/parity/make.py --check    writes nothing; fails when a fixture is not what it would be

Needs PyTorch 1.13 or newer, any CPU build. A case is three files: `NAME.safetensors`, a model as the library loads it;
`NAME.state.safetensors`, the state it starts from; `NAME.expected.safetensors`: tokens, targets, logits, loss, final state
and all gradients, of parameters and of the first state. Values are drawn by a seed and rounded to float32; all that
follows from them is computed in float64, and stored as float32.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile
from dataclasses import asdict, replace

import torch

import safetensors_file
from reference import Configuration, loss_and_gradients, parameter_shapes, state_shapes

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
BATCH, TIME = 2, 19  # longer than the 16 steps between the states that a backward pass keeps

BASE = Configuration()
CASES = {
    "rwkv7": replace(BASE, sse="none"),
    "sse": BASE,
    "meta": replace(BASE, sse="meta"),
    "readout": replace(BASE, sse="readout"),
    "sse-rho": replace(BASE, heads=4, headSize=4, rho=0.5),
    "meta-rho": replace(BASE, heads=4, headSize=4, rho=0.75, sse="meta"),
    "sse-more-heads": replace(BASE, heads=3),
    "readout-more-heads": replace(BASE, heads=5, headSize=4, rho=0.8, sse="readout"),
    "meta-fewer-heads": replace(BASE, layers=1, heads=1, sse="meta"),
    "sse-one-layer": replace(BASE, layers=1),
    "sse-extreme-decays": BASE,
    "sse-learned-state": replace(BASE, layers=1, learnedState=True),
    "sse-mixture": replace(BASE, mixture=(4, 4)),
    "meta-mixture-top-2": replace(BASE, layers=1, sse="meta", mixture=(6, 2)),
    "sse-mul": replace(BASE, heads=3, layers=1, mul=True),
    "rwkv7-a-scale": replace(BASE, layers=1, sse="none", aScale=2.0),
    "sse-a-scale": replace(BASE, layers=1, aScale=2.0),
    "sse-gelu-l2": replace(BASE, layers=1, activation="geluL2"),
    "readout-all-options": replace(
        BASE, sse="readout", rho=0.5, mixture=(3, 2), mul=True, aScale=1.5, activation="geluL2"
    ),
    "rwkv7-head-of-64": replace(BASE, width=64, headSize=64, heads=1, layers=1, parameterTokens=8, sse="none"),
}
# Written by PyTorch too.
PICKLED = ["sse"]


def drawn(name, case):
    """A case's parameters, tokens, targets and first state: float32, or integers."""
    generator = random.Random(name)

    def normal(shape, scale, centre=0.0):
        count = torch.Size(shape).numel()
        return torch.tensor([generator.gauss(centre, scale) for _ in range(count)], dtype=torch.float32).view(shape)

    parameters = {}
    for parameter, shape in parameter_shapes(case):
        last = parameter.split(".")[-1]
        is_norm = "ln" in parameter and last == "weight"
        # Products keep the scale of what they multiply; all else is far from zero, where a mistake would hide.
        scale = 0.8 * shape[1] ** -0.5 if last == "weight" and len(shape) == 2 else 0.4
        parameters[parameter] = normal(shape, scale, 1.0 if is_norm else 0.5 if last.startswith("x_") else 0.0)
        if last == "weight" and parameter.startswith("emb"):
            parameters[parameter] = normal(shape, 1.0)
        if name.endswith("extreme-decays") and last == "w0":
            # w within 1e-5 of 0.545, where the state is forgotten soonest, and within 1e-5 of 1, where it is kept.
            signs = [generator.choice([-11.0, 11.0]) for _ in range(case.inner)]
            parameters[parameter] = torch.tensor(signs, dtype=torch.float32).view(shape)
    tokens, targets = (
        torch.tensor([[generator.randrange(case.vocabSize) for _ in range(TIME)] for _ in range(BATCH)], dtype=torch.int32)
        for _ in range(2)
    )
    shapes = state_shapes(case, BATCH)
    layers = 0 if case.learnedState else case.layers
    state = [{part: normal(shape, 0.5) for part, shape in shapes.items()} for _ in range(layers)]
    return parameters, tokens, targets, state


def by_layer(prefix, layers):
    return {f"{prefix}layers.{i}.{part}": value for i, layer in enumerate(layers) for part, value in layer.items()}


def make(folder, name, case):
    parameters, tokens, targets, state = drawn(name, case)
    result = loss_and_gradients(
        case,
        {parameter: value.double() for parameter, value in parameters.items()},
        tokens.long(),
        targets.long(),
        [{part: value.double() for part, value in layer.items()} for layer in state],
    )
    mixture = dict(zip(("groups", "topK"), case.mixture)) or None
    configuration = {**asdict(case), "lowRank": dict(case.lowRank), "mixture": mixture}
    model = json.dumps({"version": 1, "configuration": configuration})
    safetensors_file.write(folder / f"{name}.safetensors", parameters, {"format": "pt", "metastate": model})
    if state:
        safetensors_file.write(folder / f"{name}.state.safetensors", by_layer("", state), {"metastate.state": "1"})
    expected = {
        "logits": result["logits"],
        "loss": result["loss"],
        **by_layer("state.", result["state"]),
        **{f"gradient.{parameter}": value for parameter, value in result["gradients"].items()},
        **by_layer("gradient.state.", result["state_gradients"]),
    }
    rounded = {key: value.float() for key, value in expected.items()}
    made_by = {"made by": "python tests/parity/make.py"}
    given = {"tokens": tokens, "targets": targets}
    safetensors_file.write(folder / f"{name}.expected.safetensors", {**given, **rounded}, made_by)
    if name in PICKLED:
        torch.save(parameters, folder / f"{name}.pth")


def check(folder):
    """Problems with the fixtures there are, as lines; what is new is in the folder."""
    made, kept = ({path.name: path for path in where.glob("*.safetensors")} for where in (folder, FIXTURES))
    for name in made.keys() ^ kept.keys():
        yield f"{name} is {'missing' if name in made else 'of no case'}"
    for name in made.keys() & kept.keys():
        new, old = safetensors_file.read(made[name]), safetensors_file.read(kept[name])
        for tensor in new.keys() | old.keys():
            same = tensor in new and tensor in old and new[tensor].shape == old[tensor].shape
            # Another build of PyTorch adds up in another order: float64 sums that differ then round to neighbours.
            if not same or not torch.allclose(new[tensor].double(), old[tensor].double(), rtol=1e-6, atol=1e-9):
                yield f"{name}: {tensor} is not what it would be"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true", help="write nothing; fail when a fixture is out of date")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder) if options.check else FIXTURES
        target.mkdir(exist_ok=True)
        for name, case in CASES.items():
            make(target, name, case)
        if options.check:
            problems = list(check(target))
            print("\n".join(problems) or "the fixtures are what they should be")
            sys.exit(1 if problems else 0)
    size = sum(path.stat().st_size for path in FIXTURES.iterdir())
    print(f"{len(CASES)} cases, {size / 1e6:.2f} MB in {FIXTURES}")


if __name__ == "__main__":
    main()
