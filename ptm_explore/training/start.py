"""Where training starts: cold, from the papers' random weights, or warm, from what counting already knows.

From the papers' start a mini masked-LM learns word frequencies and then stays on a plateau far longer than
a minute: before attention can use a neighbour, embeddings, positions and heads must each already mean
something. The warm start gives each a first meaning. It is an initialisation only: nothing in the
architecture or the checkpoint changes.

V vocabulary, D d_model, T positions, H heads, K head size
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ptm_explore.baselines.vectors import cooccurrence, ppmi_vectors
from ptm_explore.layers.attention import Attention
from ptm_explore.layers.relative import RelativeAttention, distances
from ptm_explore.text.store import Store

STD = 0.05  # of token embeddings and positions each, before the LayerNorm


def warm_start(net: nn.Module, store: Store, seed: int, tokens: int = 2_000_000) -> None:
    """Starts a network from its corpus: token embeddings from co-occurrence, positions as sinusoids, heads
    that compare what tokens mean and look nearby, an output bias at the unigram distribution.

    Parts are known by their names and kinds, so that every family is served alike."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, module in net.named_modules():
            role = name.rpartition(".")[2]
            if role == "tokens":
                V, D = module.weight.shape
                module.weight.copy_(cooccurrence_vectors(store, V, D, seed, tokens))
            elif role == "positions":
                module.weight.copy_(sinusoids(*module.weight.shape) * STD * math.sqrt(2))
            elif role == "project" and isinstance(module, nn.Linear):
                module.weight.copy_(orthonormal(module.out_features, module.in_features, generator))
            elif isinstance(module, (Attention, RelativeAttention)):
                mimetic(module, generator)
        for name, parameter in net.named_parameters():
            if name.endswith("bias") and parameter.shape == store.counts.shape:
                parameter.copy_(log_unigram(store, len(parameter)))


def log_unigram(store: Store, vocab_size: int) -> Float[Tensor, "V"]:
    """Log frequencies with add-one smoothing, centred."""
    counts = np.zeros(vocab_size)
    counts[: len(store.counts)] = store.counts[:vocab_size]
    logs = torch.from_numpy(np.log(counts + 1)).float()
    return logs - logs.mean()


def cooccurrence_vectors(
    store: Store, vocab_size: int, d_model: int, seed: int, tokens: int = 2_000_000, window: int = 4
) -> Float[Tensor, "V D"]:
    """Vectors of tokens by the company that they keep (baselines/vectors.py), scaled to std 0.05.

    Tokens that never occur get a small random vector."""
    counts = cooccurrence(store.tokens[:tokens], vocab_size, window)
    vectors = ppmi_vectors(counts, d_model, seed)
    seen = np.asarray(counts.sum(0)).ravel() > 0
    vectors[seen] -= vectors[seen].mean(0)
    # the leading directions hold most of the variance; a random rotation spreads it over all dimensions,
    # so that every head gets its share
    rng = np.random.default_rng(seed)
    vectors = vectors @ np.linalg.qr(rng.normal(size=(d_model, d_model)))[0]
    vectors[seen] *= STD / vectors[seen].std()
    vectors[~seen] = rng.normal(scale=STD / 10, size=((~seen).sum(), d_model))
    return torch.from_numpy(vectors.astype(np.float32))


def sinusoids(n: int, d_model: int) -> Float[Tensor, "T D"]:
    """sin and cos of positions at geometric wavelengths (Vaswani et al. 2017, section 3.5)."""
    pairs = torch.arange(0, d_model, 2)
    angles = torch.arange(n)[:, None] * torch.exp(-math.log(10000.0) * pairs / d_model)  # (T, D/2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :d_model]


def orthonormal(n_out: int, n_in: int, generator: torch.Generator) -> Float[Tensor, "out in"]:
    """A random projection that keeps the variance of what it projects."""
    wide = torch.randn(max(n_out, n_in), min(n_out, n_in), generator=generator)
    q = torch.linalg.qr(wide)[0]
    return q * math.sqrt(n_out / n_in) if n_out > n_in else q.T


def mimetic(attention: Attention | RelativeAttention, generator: torch.Generator) -> None:
    """Query and key of each head as one random projection, so that a head attends where tokens resemble the
    asking one (Trockman and Kolter 2023): in sinusoids, to what is near.

    Where positions are no part of the input, distances go through the same projection, and each head's
    position bias is what it makes of distance 0: again it looks nearby."""
    D, H = attention.out.in_features, attention.n_heads
    projections = torch.cat([orthonormal(D // H, D, generator) for _ in range(H)])  # (D, D)
    query, key, _ = attention.qkv.weight.chunk(3)
    query.copy_(projections)
    key.copy_(projections)
    if isinstance(attention, RelativeAttention):
        here = distances(1, 0, -1, projections[0], both=False)[0, 0]  # (D,)
        attention.relative.weight.copy_(projections)
        attention.position_bias.copy_((projections @ here).view(H, 1, -1))
