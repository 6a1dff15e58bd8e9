"""The same models in float32 torch: what the integers are compared with.

Same initial weights (ours / 2**24), same batches, same learning rates step by step, same optimisers. The head's summed
loss is differentiated, as ours is; Adam's epsilon is the one that our `isqrt(v) + 1` stands for. Needs torch.
"""

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from kernels.decoder import Decoder, list_parameters
from kernels.mlp import Mlp
from kernels.optimiser import Adam, Lion, Optimiser, Sgd
from kernels.optimiser.schedule import Schedule, compute_rate

ONE = 2.0**24
ADAM_EPSILON = 2.0**-16
NORM_EPSILON = 1e-5
Q16 = 65536
Floats = dict[str, torch.Tensor]


class DecoderTwin:
    """A decoder's float32 parameters and its logits."""

    def __init__(self, model: Decoder, weights: bytes, device: str = "cpu") -> None:
        self.model, self.device = model, device
        flat = np.frombuffer(weights, dtype="<i4")
        self.named: Floats = {}
        for entry in list_parameters(model):
            values = flat[entry.start:entry.end].reshape(entry.shape) / ONE
            self.named[f"{entry.kind}{entry.layer}"] = to_parameter(values, device)
        if model.positions == "rotary":
            self.cosines, self.sines = make_rotation(model, device)

    def parameters(self) -> list[torch.Tensor]:
        """All parameter tensors, in the order of ours."""
        return list(self.named.values())

    def logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """[batch * context, vocab] from tokens [batch, context]."""
        model, named = self.model, self.named
        batch, length = tokens.shape
        h = named["embed0"][tokens]
        if model.positions == "learned":
            h = h + named["positions0"][:length]
        h = h.reshape(batch * length, model.width)
        for layer in range(model.layers):
            mixed = self._attend(normalise(h) @ named[f"qkv{layer}"], batch, length)
            h = h + mixed @ named[f"out{layer}"]
            inner = functional.relu(normalise(h) @ named[f"up{layer}"]).square()
            h = h + inner @ named[f"down{layer}"]
        head = named["embed0"].t() if model.tied else named["head0"]
        return normalise(h) @ head

    def loss(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The summed cross-entropy in nats; targets [batch * context]."""
        return functional.cross_entropy(self.logits(tokens).float(), targets, reduction="sum")

    def _attend(self, z: torch.Tensor, batch: int, length: int) -> torch.Tensor:
        model = self.model
        parts = z.view(batch, length, 3, model.heads, model.head_dim).permute(2, 0, 3, 1, 4)
        q, k, v = parts[0], parts[1], parts[2]
        if model.positions == "rotary":
            q, k = self._rotate(q, length), self._rotate(k, length)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return mixed.transpose(1, 2).reshape(batch * length, model.width)

    def _rotate(self, x: torch.Tensor, length: int) -> torch.Tensor:
        low, high = x.chunk(2, dim=-1)
        c, s = self.cosines[:length], self.sines[:length]
        return torch.cat((low * c - high * s, low * s + high * c), dim=-1)


class MlpTwin:
    """A multilayer perceptron's float32 parameters, its logits and its loss."""

    def __init__(self, model: Mlp, weights: bytes) -> None:
        flat = np.frombuffer(weights, dtype="<i4") / ONE
        self.layers, start = [], 0
        for fan_in, fan_out in zip(model.widths, model.widths[1:]):
            for shape in ((fan_in, fan_out), (fan_out,)):
                self.layers.append(to_parameter(flat[start:start + prod(shape)].reshape(shape), "cpu"))
                start += prod(shape)

    def parameters(self) -> list[torch.Tensor]:
        """All parameter tensors, in the order of ours."""
        return self.layers

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """[rows, classes] from values [rows, inputs]."""
        h = features
        for index in range(0, len(self.layers), 2):
            h = torch.addmm(self.layers[index + 1], functional.relu(h) if index else h, self.layers[index])
        return h

    def loss(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The summed cross-entropy in nats."""
        return functional.cross_entropy(self.logits(features), labels, reduction="sum")


class Stepper:
    """One of our optimisers on float32 parameters; `terms` examples or tokens are in a step's summed loss."""

    def __init__(self, optimiser: Optimiser, schedule: Schedule, parameters: list[torch.Tensor], terms: int) -> None:
        self.optimiser, self.schedule, self.parameters, self.terms = optimiser, schedule, parameters, terms
        self.adam: Any = None
        if isinstance(optimiser, Adam):
            betas = (optimiser.beta1_q16 / Q16, 1 - 2.0**-optimiser.beta2_shift)
            self.adam = torch.optim.Adam(parameters, lr=0.0, betas=betas, eps=ADAM_EPSILON, fused=True)
        self.momenta = [torch.zeros_like(entry) for entry in parameters]

    def step(self, first_step: int, step: int) -> None:
        """One step with the gradients that the parameters carry, which are dropped."""
        with torch.no_grad():
            self._step(first_step, step)
        for entry in self.parameters:
            entry.grad = None

    def _step(self, first_step: int, step: int) -> None:
        ours = self.optimiser
        slopes = [entry.grad for entry in self.parameters]
        if isinstance(ours, Sgd):
            rate = compute_rate(self.schedule, ours.learning_rate_q16, first_step, step) / Q16 / self.terms
            torch._foreach_mul_(self.momenta, ours.momentum_q16 / Q16)
            torch._foreach_add_(self.momenta, slopes)
            torch._foreach_add_(self.parameters, self.momenta, alpha=-rate)
            return
        rate = compute_rate(self.schedule, ours.learning_rate_q24, first_step, step) / ONE
        if isinstance(ours, Lion):
            ahead = torch._foreach_mul(self.momenta, ours.beta1_q16 / Q16)
            torch._foreach_add_(ahead, slopes, alpha=1 - ours.beta1_q16 / Q16)
            torch._foreach_sign_(ahead)
            torch._foreach_add_(self.parameters, ahead, alpha=-rate)
            torch._foreach_lerp_(self.momenta, slopes, 1 - ours.beta2_q16 / Q16)
            return
        self.adam.param_groups[0]["lr"] = rate
        self.adam.step()


def train(
    twin: Any, stepper: Stepper, batches: Iterable[tuple[torch.Tensor, torch.Tensor]], first_step: int = 0
) -> Iterator[int]:
    """Train in place; yields the number of steps done after each."""
    for step, (inputs, targets) in enumerate(batches):
        twin.loss(inputs, targets).backward()
        stepper.step(first_step, step)
        yield step + 1


def read_weights(twin: Any) -> NDArray[np.float64]:
    """All parameters, flat."""
    return np.concatenate([entry.detach().double().numpy().reshape(-1) for entry in twin.parameters()])


def to_parameter(values: NDArray[Any], device: str) -> torch.Tensor:
    """A float32 parameter."""
    return torch.tensor(values, dtype=torch.float32, device=device, requires_grad=True)


def to_tokens(values: NDArray[Any], device: str = "cpu") -> torch.Tensor:
    """Integers as torch indexes with them."""
    return torch.from_numpy(values.astype(np.int64)).to(device)


def normalise(h: torch.Tensor) -> torch.Tensor:
    """RMSNorm without parameters; faster on a CPU, back and forth, than torch's own."""
    return h * torch.rsqrt(h.square().mean(-1, keepdim=True) + NORM_EPSILON)


def make_rotation(model: Decoder, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines [context, head_dim / 2] of the rotary positions."""
    half = model.head_dim // 2
    speeds = 10000.0 ** (-np.arange(half) / half)
    angles = torch.tensor(np.arange(model.context)[:, None] * speeds, dtype=torch.float32, device=device)
    return torch.cos(angles), torch.sin(angles)
