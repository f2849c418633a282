"""RWKV-7 and Meta-State in PyTorch, as plainly as they can be said: one token after the other, one equation a line.

What the library's tests are held against. It shares nothing with the library: no code, and no gradient either, which are
PyTorch's own. The equations are those of RWKV-7 (arXiv 2503.14456) and of docs/model.md.

Everything is batched over rows (B) and heads (H); time is a Python loop. Shapes are in brackets. Parameters go by their
checkpoint names; `forward` computes in whatever precision they have.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Configuration:
    """Sizes and options, named as the library names them."""

    vocabSize: int = 13
    width: int = 16
    layers: int = 2
    headSize: int = 8
    heads: int = 2
    parameterTokens: int = 24
    sse: str = "sse"
    rho: float = 1.0
    mixture: tuple = ()  # (groups, topK)
    mul: bool = False
    aScale: float = 1.0
    activation: str = "squaredRelu"
    learnedState: bool = False
    lowRank: tuple = (("decay", 3), ("rate", 2), ("value", 2), ("gate", 4))

    @property
    def inner(self):
        """A: the width inside time mixing."""
        return self.heads * self.headSize

    @property
    def sse_heads(self):
        """How many heads, from the first, carry the SSE."""
        return max(1, int(self.rho * self.heads + 0.5))

    @property
    def has_meta_state(self):
        return self.sse in ("sse", "meta")

    @property
    def gains(self):
        return {"sse": ["alpha_g", "beta_g"], "meta": ["alpha_g"], "readout": ["alpha_g"], "none": []}[self.sse]


def parameter_shapes(c):
    """Every parameter's name and shape, in the order of the checkpoints."""
    rank = dict(c.lowRank)
    yield "emb.weight", (c.vocabSize, c.width)
    for i in range(c.layers):
        for name in (["ln0"] if i == 0 else []) + ["ln1", "ln2"]:
            yield f"blocks.{i}.{name}.weight", (c.width,)
            yield f"blocks.{i}.{name}.bias", (c.width,)
        att = f"blocks.{i}.att."
        for letter in "rwkvag":
            yield att + "x_" + letter, (1, 1, c.width)
        for letter, size in (("w", "decay"), ("a", "rate"), ("v", "value"), ("g", "gate")):
            if letter == "v" and i == 0:
                continue  # the first layer's value is what the others mix in
            if letter != "g":
                yield att + letter + "0", (1, 1, c.inner)
            yield att + letter + "1", (c.width, rank[size])
            yield att + letter + "2", (rank[size], c.inner)
        yield att + "k_k", (1, 1, c.inner)
        yield att + "k_a", (1, 1, c.inner)
        yield att + "r_k", (c.heads, c.headSize)
        for name in ("receptance", "key", "value"):
            yield att + name + ".weight", (c.inner, c.width)
        yield att + "output.weight", (c.width, c.inner)
        yield att + "ln_x.weight", (c.inner,)
        yield att + "ln_x.bias", (c.inner,)
        yield f"blocks.{i}.ffn.x_k", (1, 1, c.width)
        yield f"blocks.{i}.ffn.key.weight", (c.parameterTokens, c.width)
        yield f"blocks.{i}.ffn.value.weight", (c.width, c.parameterTokens)
        for gain in c.gains:
            yield f"blocks.{i}.meta.{gain}", (c.sse_heads * c.headSize,)
        if c.mixture:
            yield f"blocks.{i}.meta.router.weight", (c.mixture[0], c.width)
        if c.learnedState:
            yield f"blocks.{i}.att.time_state", (c.heads, c.headSize, c.headSize)
            if c.has_meta_state:
                yield f"blocks.{i}.meta.time_state", (c.sse_heads, c.headSize, c.headSize)
    yield "ln_out.weight", (c.width,)
    yield "ln_out.bias", (c.width,)
    yield "head.weight", (c.vocabSize, c.width)


def state_shapes(c, batch):
    """The parts of one layer's state, named as the library names them."""
    shapes = {
        "attShift": (batch, c.width),
        "ffnShift": (batch, c.width),
        "wkv": (batch, c.heads, c.headSize, c.headSize),
    }
    if c.has_meta_state:
        shapes["meta"] = (batch, c.sse_heads, c.headSize, c.headSize)
    return shapes


def forward(c, p, tokens, state):
    """Logits [B, T, V] and the state after the last token.

    tokens: integers [B, T]. state: a dictionary of parts for each layer.
    """
    x = F.embedding(tokens, p["emb.weight"])
    x = F.layer_norm(x, (c.width,), p["blocks.0.ln0.weight"], p["blocks.0.ln0.bias"])
    first_value = None
    after = []
    for i in range(c.layers):
        q = {name.split(".", 2)[2]: value for name, value in p.items() if name.startswith(f"blocks.{i}.")}
        x1 = F.layer_norm(x, (c.width,), q["ln1.weight"], q["ln1.bias"])
        mixed, heads, value = time_mixing(c, q, x1, state[i], first_value)
        first_value = value if first_value is None else first_value
        x = x + mixed
        x2 = F.layer_norm(x, (c.width,), q["ln2.weight"], q["ln2.bias"])
        output, meta = meta_state_layer(c, q, x2, state[i], heads)
        x = x + output
        layer = {"attShift": x1[:, -1], "ffnShift": x2[:, -1], "wkv": heads["states"][-1]}
        after.append({**layer, "meta": meta} if c.has_meta_state else layer)
    x = F.layer_norm(x, (c.width,), p["ln_out.weight"], p["ln_out.bias"])
    return x @ p["head.weight"].T, after


def shifted(x, before, mix):
    """Each token moved towards the one before it; x and the result [B, T, C], before [B, C]."""
    previous = torch.cat([before[:, None], x[:, :-1]], dim=1)
    return x + (previous - x) * mix


def time_mixing(c, q, x, state, first_value):
    """RWKV-7's time mixing: its output [B, T, C], what its heads worked with, and its value [B, T, A]."""
    batch, time, _ = x.shape
    x_r, x_w, x_k, x_v, x_a, x_g = (shifted(x, state["attShift"], q["att.x_" + letter]) for letter in "rwkvag")
    r = x_r @ q["att.receptance.weight"].T
    k = x_k @ q["att.key.weight"].T
    v = x_v @ q["att.value.weight"].T
    log_w = -math.exp(-0.5) * torch.sigmoid(q["att.w0"] + torch.tanh(x_w @ q["att.w1"]) @ q["att.w2"])
    rate = torch.sigmoid(q["att.a0"] + x_a @ q["att.a1"] @ q["att.a2"])
    gate = torch.sigmoid(x_g @ q["att.g1"]) @ q["att.g2"]
    own_value = v
    if first_value is not None:
        v = v + (first_value - v) * torch.sigmoid(q["att.v0"] + x_v @ q["att.v1"] @ q["att.v2"])

    def split(y):
        return y.view(batch, time, c.heads, c.headSize)

    removal = F.normalize(split(k * q["att.k_k"]), dim=-1)
    k = k * (1 + (rate - 1) * q["att.k_a"])
    heads = {"r": split(r), "w": split(log_w.exp()), "k": split(k), "removal": removal}
    heads["write_back"] = removal * split(rate) * c.aScale
    y, heads["states"] = recurrence(heads, split(v), state["wkv"])

    y = head_norm(y, c.headSize).reshape(batch, time, c.inner) * q["att.ln_x.weight"] + q["att.ln_x.bias"]
    bonus = (split(r) * split(k) * q["att.r_k"]).sum(-1, keepdim=True) * split(v)
    y = (y + bonus.reshape(batch, time, c.inner)) * gate
    return y @ q["att.output.weight"].T, heads, own_value


def recurrence(heads, values, matrix):
    """Runs S = S (diag(w) - removal^T write_back) + value^T k over time and reads it with r.

    Rows of S are value channels, columns key channels. values [B, T, H, N]; matrix, the first S, [B, H, N, N].
    Gives the reads [B, T, H, N] and the S after each token.
    """
    states, reads = [], []
    for t in range(values.shape[1]):
        w, k, removal, write_back = (heads[name][:, t] for name in ("w", "k", "removal", "write_back"))
        forgotten = torch.einsum("bhij,bhj->bhi", matrix, removal)
        matrix = (
            matrix * w[:, :, None, :]
            - forgotten[..., None] * write_back[:, :, None, :]
            + values[:, t, :, :, None] * k[:, :, None, :]
        )
        states.append(matrix)
        reads.append(torch.einsum("bhij,bhj->bhi", matrix, heads["r"][:, t]))
    return torch.stack(reads, dim=1), states


def head_norm(x, size):
    """Each head's N values with mean 0 and variance 1; the epsilon is the published 64e-5 for heads of 64."""
    return F.layer_norm(x, (size,), eps=size * 1e-5)


def meta_state_layer(c, q, x, state, heads):
    """What takes the place of channel mixing: its output [B, T, C], and M after the last token (or None)."""
    batch, time, _ = x.shape
    n, count = c.headSize, c.sse_heads
    carrying = {name: y[:, :, :count] for name, y in heads.items() if name != "states"}
    x_hat = shifted(x, state["ffnShift"], q["ffn.x_k"])
    slices = [(h % (c.width // n)) * n for h in range(count)]  # the channels that a head reads and writes

    def per_head(y):
        return torch.stack([y[..., s : s + n] for s in slices], dim=2)

    def combined(contributions):
        """z: x_hat and what the heads have to say of its channels."""
        total = [torch.zeros_like(x_hat[..., :n]) for _ in range(c.width // n)]
        for h, s in enumerate(slices):
            total[s // n] = total[s // n] + contributions[:, :, h]
        total = torch.cat(total, dim=-1)
        return x_hat * (1 + total) if c.mul else x_hat + total

    def read_state():
        queries = per_head(x_hat)
        u = [torch.einsum("bhij,bhj->bhi", s[:, :count], queries[:, t]) for t, s in enumerate(heads["states"])]
        return head_norm(torch.stack(u, dim=1), n)

    def gain(name):
        return q["meta." + name].view(count, n)

    meta = None
    if c.sse == "none":
        z = x_hat
    elif c.sse == "readout":
        z = combined(gain("alpha_g") * read_state())
    else:
        seen = gain("beta_g") * read_state() if c.sse == "sse" else torch.zeros_like(per_head(x))
        reads, metas = recurrence(carrying, per_head(x) + seen, state["meta"])
        meta = metas[-1]
        z = combined(seen + gain("alpha_g") * head_norm(reads, n))
    return parameter_tokens(c, q, x_hat, z), meta


def parameter_tokens(c, q, x_hat, z):
    """z meets the parameter tokens, rows of K_P (`ffn.key`) and of V_P, the transpose of `ffn.value`."""
    product = z @ q["ffn.key.weight"].T
    if c.activation == "squaredRelu":
        activated = torch.relu(product) ** 2
    else:
        # TokenFormer's: of length sqrt(n) for n = 4 C tokens, and of that length still when there are more.
        gelu = F.gelu(product)
        activated = gelu / torch.sqrt((gelu**2).sum(-1, keepdim=True) + 1e-6) * 2 * math.sqrt(c.width)
    if c.mixture:
        groups, top = c.mixture
        logits = (z - x_hat) @ q["meta.router.weight"].T
        weights = 2 * torch.sigmoid(logits)
        chosen = torch.zeros_like(logits).scatter(-1, logits.topk(top, dim=-1).indices, 1.0)
        weights = weights * chosen
        activated = activated * weights[..., torch.arange(c.parameterTokens) % groups]
    return activated @ q["ffn.value.weight"].T


def first_state(c, p, batch):
    """The learned state before any text: the same for every row, and no token before the first."""
    for i in range(c.layers):
        state = {"attShift": torch.zeros(batch, c.width).double(), "ffnShift": torch.zeros(batch, c.width).double()}
        state["wkv"] = p[f"blocks.{i}.att.time_state"].expand(batch, -1, -1, -1)
        if c.has_meta_state:
            state["meta"] = p[f"blocks.{i}.meta.time_state"].expand(batch, -1, -1, -1)
        yield state


def loss_and_gradients(c, p, tokens, targets, state):
    """Everything a fixture holds: logits, mean cross-entropy in nats, final state, gradients of parameters and state.

    A learned state is a parameter, and takes the place of the given one, which then is empty.
    """
    p = {name: value.detach().requires_grad_() for name, value in p.items()}
    state = [{part: value.detach().requires_grad_() for part, value in layer.items()} for layer in state]
    logits, after = forward(c, p, tokens, list(first_state(c, p, len(tokens))) if c.learnedState else state)
    loss = F.cross_entropy(logits.reshape(-1, c.vocabSize), targets.reshape(-1))
    loss.backward()
    return {
        "logits": logits.detach(),
        "loss": loss.detach(),
        "state": [{part: value.detach() for part, value in layer.items()} for layer in after],
        "gradients": {name: value.grad for name, value in p.items()},
        "state_gradients": [{part: value.grad for part, value in layer.items()} for layer in state],
    }
