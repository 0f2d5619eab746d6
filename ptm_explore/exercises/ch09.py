"""Chapter 09: reading attention. T tokens, W words, D d_model."""

import torch

from .base import exercise

FIRST = torch.tensor([[0.2, 0.8, 0.0], [0.5, 0.1, 0.4], [0.0, 0.3, 0.7]])
SECOND = torch.tensor([[0.6, 0.1, 0.3], [0.0, 0.9, 0.1], [0.7, 0.2, 0.1]])
VALUES = torch.tensor([[3.0, 4.0], [0.0, 0.5], [-1.0, 1.0]])


@exercise("09.rollout", "the rollout", cases=[(FIRST, SECOND), (SECOND, FIRST)], unchanged=True)
def rollout(got, first, second):
    """half of each row is attention and half is the token itself; then one matrix product

    Rows still sum to 1: shares of what came in, wherever they went through.
    """
    one, two = ((layer + torch.eye(len(layer))) / 2 for layer in (first, second))
    yield two @ one
    yield "which layer comes first? The second shares out what the first took in: second @ first", one @ two
    yield "is the residual missing? Half of what a token is goes straight on", second @ first, first @ second
    yield "do rows sum to 4? Halve the sum of attention and identity, in each layer", 4 * two @ one
    yield "is that the residual of one layer only? Each layer has one", second @ one, two @ first
    yield "is that cell by cell? Shares travel along paths: a matrix product, @", two * one
    yield "is that a mean of the two layers? What the second takes has been mixed before", (one + two) / 2


@exercise("09.merge", "the map of words", cases=[(FIRST, [[0], [1, 2]]), (SECOND, [[0, 1], [2]])])
def merge(got, a, groups):
    """sum the columns of a word's pieces, and take the mean of its rows

    What comes in adds up, what goes out is shared: rows sum to 1 again.
    """
    add = torch.tensor([[float(t in group) for t in range(len(a))] for group in groups])  # (W, T)
    mean = add / add.sum(1, keepdim=True)
    yield mean @ a @ add.T
    yield "is it a mean over the keys, too? What a word gets is the sum over its pieces", mean @ a @ mean.T
    yield "do rows sum to more than 1? A word looks once: the mean of its rows", add @ a @ add.T
    yield "are the two swapped? Sum over keys (columns), mean over queries (rows)", add @ a @ mean.T
    firsts = [group[0] for group in groups]
    yield "is that the first piece of each word? The others count, too", a[firsts][:, firsts]


@exercise("09.norms", "the map", cases=[(FIRST, VALUES), (SECOND, VALUES)], unchanged=True)
def norms(got, a, values):
    """one length for each key; which dimension of the map is the key?

    A weight of 0.8 on a vector that is nearly 0 hands over nearly nothing.
    """
    length = values.norm(dim=-1)
    yield a * length
    yield "is that the length of the query's value? What is handed over is the key's", a * length[:, None]
    total = a @ values
    yield "is that the sum over the keys? Here each key is asked for alone", total, total.norm(dim=-1)
    yield "is that the squared length? A root is missing", a * length**2
    yield "is that the sum of the numbers? Their signs cancel: take the length", a * values.sum(-1)
    yield "did you normalise the rows? How much arrives is the news", a * length / (a @ length)[:, None]
    yield "is that the length of all values together? Each key has its own: dim=-1", a * values.norm()
