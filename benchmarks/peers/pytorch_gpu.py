"""One part of benchmarks/gpu.mjs in PyTorch on the GPU. Its argument is JSON, its answers lines of JSON; 2 says that it cannot.

The recurrence is flash-linear-attention's chunk_rwkv7 where `fla` is installed, and a loop over time.
"""

import json
import sys
import time

try:
    import torch
except ImportError as error:
    print(f"PyTorch is left out: {error}", file=sys.stderr)
    sys.exit(2)

try:
    from fla.ops.rwkv7 import chunk_rwkv7
except Exception as error:  # it may be there and not work with this PyTorch
    chunk_rwkv7 = None
    without = f"{type(error).__name__}: {error}"

asked = json.loads(sys.argv[1])
rounds = 5 if asked.get("quick") else 20


def say(**what):
    print(json.dumps(what), flush=True)


def on_gpu(run, calls=10):
    """Milliseconds of one call between two events: the least of several samples, after warm-ups."""
    for _ in range(3):
        run()
    least = float("inf")
    for _ in range(rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(calls):
            run()
        end.record()
        torch.cuda.synchronize()
        least = min(least, begin.elapsed_time(end) / calls)
    return least


def by_clock(run, calls=10):
    for _ in range(2):
        run()
    torch.cuda.synchronize()
    least = float("inf")
    for _ in range(min(rounds, 5)):
        begin = time.perf_counter()
        for _ in range(calls):
            run()
        torch.cuda.synchronize()
        least = min(least, 1000 * (time.perf_counter() - begin) / calls)
    return least


def products():
    def measure(name, dtype):
        for side in asked["sides"]:
            a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
            milliseconds = on_gpu(lambda: torch.matmul(a, b))
            say(what="matrix product", case=f"{name} {side}", milliseconds=milliseconds, gflops=2 * side**3 / 1e6 / milliseconds)

    torch.backends.cuda.matmul.allow_tf32 = False
    measure("float32", torch.float32)
    torch.backends.cuda.matmul.allow_tf32 = True
    measure("tf32", torch.float32)
    # Operands lie as bfloat16, the result too: ours are float32 in memory.
    measure("bfloat16", torch.bfloat16)


def memory():
    x = torch.ones(asked["bytes"] // 4)
    milliseconds = on_gpu(lambda: torch.relu(x))
    say(
        what="relu, read and written",
        case=f"{asked['bytes']} bytes",
        milliseconds=milliseconds,
        gigabytesPerSecond=2 * asked["bytes"] / 1e6 / milliseconds,
    )


def small_ops():
    one = torch.ones(1)
    say(what="one small op", case="launched", milliseconds=by_clock(lambda: torch.relu(one), 2000))
    say(what="one small op", case="with its value", milliseconds=by_clock(lambda: torch.relu(one).item()))


def loop(r, w, k, v, a, b, state):
    """The recurrence as it is written down."""
    reads = []
    for t in range(r.shape[1]):
        removed = state @ a[:, t, :, :, None]
        state = state * w[:, t, :, None, :] + removed * b[:, t, :, None, :] + v[:, t, :, :, None] * k[:, t, :, None, :]
        reads.append((state @ r[:, t, :, :, None])[..., 0])
    return torch.stack(reads, 1), state


def chunked(r, w, k, v, a, b, state):
    """flash-linear-attention's, whose decays are logarithms and whose states have rows of keys."""
    initial = state.transpose(-1, -2).contiguous()
    y, last = chunk_rwkv7(r, w.log(), k, v, a, b, scale=1.0, initial_state=initial, output_final_state=True)
    return y, last.transpose(-1, -2)


def operands(shape, dtype=torch.float32):
    batch, _, heads, size = shape
    reach = size**-0.5
    r, k, v, a, b = (torch.empty(shape).uniform_(-reach, reach).to(dtype) for _ in range(5))
    w = torch.empty(shape).uniform_(0.6, 0.999).to(dtype)
    return [r, w, k, v, a, b, torch.zeros(batch, heads, size, size)]


def wkv7():
    if chunk_rwkv7:
        given = operands([1, 64, 2, 64])
        errors = [(x - y).abs().max() / y.abs().max() for x, y in zip(chunked(*given), loop(*given))]
        say(what="chunk_rwkv7 against the loop", case="largest relative error", error=max(errors).item())
    for shape in asked["shapes"]:
        case, tokens = "×".join(map(str, shape)), shape[0] * shape[1]

        def tell(what, milliseconds, peer):
            say(what=what, case=case, milliseconds=milliseconds, tokensPerSecond=1000 * tokens / milliseconds, peer=peer)

        if chunk_rwkv7:
            for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
                peer = f"fla chunk_rwkv7, {name}"
                given = operands(shape, dtype)
                with torch.no_grad():
                    tell("Wkv7 forward", on_gpu(lambda: chunked(*given)), peer)
                for x in given:
                    x.requires_grad_()
                y, last = chunked(*given)
                adjoints = [torch.ones_like(y), torch.ones_like(last)]
                tell("Wkv7 backward", on_gpu(lambda: torch.autograd.grad([y, last], given, adjoints, retain_graph=True)), peer)
        if shape[1] <= 512:
            given = operands(shape)
            with torch.no_grad():
                tell("Wkv7 forward", on_gpu(lambda: loop(*given), 1), "a loop over time, eager")
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    loop(*given)
                tell("Wkv7 forward", on_gpu(graph.replay, 1), "a loop over time, as a CUDA graph")
    if not chunk_rwkv7:
        print(f"flash-linear-attention is left out: {without}", file=sys.stderr)
        sys.exit(2)


def model():
    if not chunk_rwkv7 or "configuration" not in asked:
        print(f"the model is left out: {without if not chunk_rwkv7 else 'ours did not run'}", file=sys.stderr)
        sys.exit(2)
    from timed_model import TimedModel

    batch, length = asked["batchSize"], asked["length"]

    def recurrence(*given):
        return (chunked if given[0].shape[1] > 1 else loop)(*given)

    timed = TimedModel(recurrence, asked["configuration"], batch, length, fused=True)
    case = f"{timed.parameters} parameters"
    milliseconds = by_clock(timed.token)
    say(what="decoding, one token", case=case, milliseconds=milliseconds, tokensPerSecond=1000 / milliseconds)
    for name, allowed in (("float32", False), ("tf32", True)):
        torch.backends.cuda.matmul.allow_tf32 = allowed
        milliseconds = by_clock(timed.train, 3)
        say(
            what=f"training step, {name}",
            case=case,
            milliseconds=milliseconds,
            tokensPerSecond=1000 * batch * length / milliseconds,
            peer="PyTorch eager with fla's chunk_rwkv7",
        )


def main():
    if not torch.cuda.is_available():
        print("PyTorch is left out: it sees no GPU", file=sys.stderr)
        sys.exit(2)
    torch.set_default_device("cuda")
    torch.manual_seed(1)
    about = {"PyTorch": torch.__version__, "CUDA": torch.version.cuda, "device": torch.cuda.get_device_name()}
    say(about={**about, "fla": "chunk_rwkv7" if chunk_rwkv7 else without})
    parts = {"products": products, "memory": memory, "small ops": small_ops, "wkv7": wkv7}
    parts.get(asked["part"], model)()


main()
