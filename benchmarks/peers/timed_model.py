"""A model of tests/parity/reference.py in PyTorch eager, with a training step and a token to be timed."""

import one_operator
import torch
import torch.nn.functional as F


class TimedModel:
    """
    `operator` is the recurrence, as one_operator.use takes it; `configuration` as JSON has it; `optimizer` goes to AdamW,
    beside the project's own settings.
    """

    def __init__(self, operator, configuration, batch, length, **optimizer):
        self.reference = one_operator.use(operator)
        given = {**configuration, "lowRank": tuple(configuration["lowRank"].items())}
        self.c = self.reference.Configuration(**given)
        self.p = {name: 0.1 * torch.randn(shape) for name, shape in self.reference.parameter_shapes(self.c)}
        for value in self.p.values():
            value.requires_grad_()
        self.parameters = sum(value.numel() for value in self.p.values())
        settings = {"lr": 1e-4, "betas": (0.9, 0.99), "eps": 1e-10, "weight_decay": 0.1}
        self.optimizer = torch.optim.AdamW(self.p.values(), **settings, **optimizer)
        self.tokens = torch.randint(self.c.vocabSize, (batch, length + 1))
        self.state = self.zeros(1)

    def zeros(self, rows):
        shapes = self.reference.state_shapes(self.c, rows)
        return [{part: torch.zeros(s) for part, s in shapes.items()} for _ in range(self.c.layers)]

    def train(self):
        """A step: forward, backward, clipping and AdamW, until its loss is known."""
        logits, _ = self.reference.forward(self.c, self.p, self.tokens[:, :-1], self.zeros(len(self.tokens)))
        loss = F.cross_entropy(logits.reshape(-1, self.c.vocabSize), self.tokens[:, 1:].reshape(-1))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.p.values(), 1.0)
        self.optimizer.step()
        loss.item()

    @torch.no_grad()
    def token(self):
        """One token after those before, until its logits are known."""
        logits, self.state = self.reference.forward(self.c, self.p, self.tokens[:1, :1], self.state)
        logits.cpu()
