"""Models so simple that every answer is known: a score that is a sum over tokens."""

import numpy as np
import torch

from ptm_explore.classifier import Prediction
from ptm_explore.layers.taps import tap
from ptm_explore.models.heads import Output
from ptm_explore.text.task_rows import WORD


class Linear:
    """A prediction that is a sum over tokens, of one number for each; its states are its embeddings."""

    def __init__(self, like, kind="regression", width=3):
        self.tokenizer, self.config, self.family, self.kind = like.tokenizer, like.config, "bert", kind
        self.net, self.device, self.encode, self.recipe = like.net, torch.device("cpu"), like.encode, None
        self.labels = ("no", "yes")
        self.table = torch.randn(like.config.vocab_size, width, generator=torch.Generator().manual_seed(0))
        self.table *= 0.3  # so that probabilities stay off 0 and 1

    def __call__(self, ids, mask=None, segments=None, taps=None):
        embedded = x = tap(taps, "embeddings.tokens", self.table[ids])
        tap(taps, "embeddings.out", x)
        for i in range(self.config.n_layers):
            x = tap(taps, f"layers.{i}.out", x)
        total = x.sum((1, 2))[:, None]
        return Output(
            embedded, task_logits=torch.cat([-total, total], 1) if self.kind == "classification" else total
        )


class Words:
    """A classifier of texts whose logit is the sum of its words' weights; others weigh nothing."""

    kind, labels = "classification", ("no", "yes")

    def __init__(self, weights):
        self.weights = weights

    def logit(self, text):
        return sum(self.weights.get(word.lower(), 0.0) for word in WORD.findall(text))

    def predict(self, texts):
        texts = [texts] if isinstance(texts, str) else texts
        found = []
        for text in texts:
            yes = 1 / (1 + np.exp(-self.logit(text)))
            chances = {"no": 1 - yes, "yes": yes}
            label = "yes" if yes > 0.5 else "no"
            found.append(Prediction(label, chances[label], chances))
        return found
