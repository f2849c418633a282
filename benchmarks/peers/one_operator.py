"""The models of tests/parity/reference.py with their recurrence, there a loop over time, as one operator of the caller's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "parity"))
import reference  # noqa: E402


def use(operator):
    """`operator(r, w, k, v, a, b, state)`, [B, T, H, N] and [B, H, N, N] with rows of values, gives y and the last state."""

    def recurrence(heads, values, matrix):
        """As the reference's, in one operator; the first state and the values are kept for the layer above."""
        heads.setdefault("values", values)
        heads.setdefault("first", matrix)
        operands = (heads["r"], heads["w"], heads["k"], values, -heads["removal"], heads["write_back"], matrix)
        y, last = operator(*operands)
        return y, [last]

    def meta_state_layer(c, q, x, state, heads):
        """The variants `sse` and `none`, one head a slice of channels."""
        batch, steps, width = x.shape
        x_hat = reference.shifted(x, state["ffnShift"], q["ffn.x_k"])
        if c.sse == "none":
            return reference.parameter_tokens(c, q, x_hat, x_hat), None

        def per_head(y):
            return y.view(batch, steps, c.heads, c.headSize)

        def gain(name):
            return q["meta." + name].view(c.heads, c.headSize)

        read, _ = recurrence({**heads, "r": per_head(x_hat)}, heads["values"], heads["first"])
        seen = gain("beta_g") * reference.head_norm(read, c.headSize)
        reads, metas = recurrence(heads, per_head(x) + seen, state["meta"])
        z = x_hat + (seen + gain("alpha_g") * reference.head_norm(reads, c.headSize)).reshape(batch, steps, width)
        return reference.parameter_tokens(c, q, x_hat, z), metas[-1]

    reference.recurrence = recurrence
    reference.meta_state_layer = meta_state_layer
    return reference
