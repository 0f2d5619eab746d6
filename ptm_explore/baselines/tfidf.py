"""TF-IDF: texts as bags of words, each word weighed by how rare it is. Retrieval, and classification under a
linear model, by scikit-learn."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ptm_explore.baselines.ngrams import words
from ptm_explore.errors import PtmError
from ptm_explore.text.metrics import Score, score
from ptm_explore.text.sentences import sentences
from ptm_explore.text.tasks import Example, Task


def vectorizer(longest: int = 2):
    """scikit-learn's TF-IDF over words and marks in lower case, alone and in runs up to `longest`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(tokenizer=words, token_pattern=None, lowercase=False, ngram_range=(1, longest))


class Search:
    """Finds texts by the words they share with a question: the cosine of TF-IDF vectors."""

    def __init__(self, texts: Sequence[str], longest: int = 1):
        if not any(words(text) for text in texts):
            raise PtmError("there is no text with a word to search in")
        self.texts = list(texts)
        self._vectorizer = vectorizer(longest)
        self._vectors = self._vectorizer.fit_transform(self.texts)

    def __call__(self, question: str, k: int = 5) -> list[tuple[int, float]]:
        """The numbers of the k best texts and their cosines, best first; only those that share a word."""
        near = (self._vectors @ self._vectorizer.transform([question]).T).toarray().ravel()
        return [(int(i), float(near[i])) for i in np.argsort(-near, kind="stable")[:k] if near[i] > 0]


class TfIdf:
    """The best that counting words makes of a task.

    classification  logistic regression on TF-IDF of words and runs of words up to `longest`; a pair of texts
                    is both bags, the distance between them and their cosine
    regression      ridge regression on the same
    tagging         each word's commonest tag, for others the commonest of all
    span            the rarest word, not in the question, of the sentence that shares most with it
    """

    def __init__(self, task: Task, longest: int = 2, strength: float = 10.0):
        if task.kind == "minimal_pair":
            raise PtmError(f"{task.name} has nothing to learn from; counting words gets half of it right")
        self.task = task
        train = list(task.split("train"))
        if task.kind == "tagging":
            self._tags = _commonest_tags(train)
            return
        texts = [text for e in train for text in ((e.text,) if e.pair is None else (e.text, e.pair))]
        self._vectorizer = vectorizer(longest).fit(texts)
        if task.kind != "span":
            self._model = _linear(task.kind, strength).fit(self._features(train), [e.label for e in train])

    def _features(self, examples: Sequence[Example]):
        from scipy import sparse

        found = self._vectorizer.transform([e.text for e in examples])
        if not any(e.pair is not None for e in examples):
            return found
        other = self._vectorizer.transform([e.pair or "" for e in examples])
        cosine = sparse.csr_matrix(found.multiply(other).sum(1))
        return sparse.hstack([found, other, abs(found - other), cosine]).tocsr()

    def predict(self, examples: Sequence[Example]) -> list[Any]:
        """A label for each, as `Classifier.predict(...)[i].label`."""
        if self.task.kind == "tagging":
            return [tuple(self._tags[word] for word in e.tokens) for e in examples]
        if self.task.kind == "span":
            return [self._answer(e) for e in examples]
        return self._model.predict(self._features(examples)).tolist()

    def evaluate(self, split: str | Sequence[Example] = "test") -> Score:
        """The task's metric, with a bootstrap interval."""
        examples = self.task.split(split) if isinstance(split, str) else split
        return score(self.task.metric, examples, self.predict(examples))

    def weights(self, label: str, k: int = 10) -> list[tuple[str, float]]:
        """The words that speak most for a class, with their weights; of a classification without pairs."""
        rows = self._model.coef_
        rows = rows if len(rows) > 1 else [-rows[0], rows[0]]  # of two classes only the second has weights
        row = rows[list(self._model.classes_).index(label)]
        features = self._vectorizer.get_feature_names_out()
        return [(features[i], float(row[i])) for i in np.argsort(-row)[:k]]

    def _answer(self, example: Example) -> str:
        said = sentences(example.pair or "")
        found = self._vectorizer.transform([example.text, *said])
        best = said[int((found[1:] @ found[0].T).toarray().argmax())]
        idf, known = self._vectorizer.idf_, self._vectorizer.vocabulary_
        asked = set(words(example.text))
        left = [word for word in words(best) if word.isalnum() and word not in asked]
        return max(((idf[known[w]] if w in known else np.inf, w) for w in left), default=(0, ""))[1]


def _commonest_tags(examples: Sequence[Example]) -> defaultdict[str, str]:
    tags: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        for word, tag in zip(example.tokens, example.label, strict=True):
            tags[word][tag] += 1
    overall = sum(tags.values(), Counter[str]()).most_common(1)[0][0]
    return defaultdict(lambda: overall, {word: found.most_common(1)[0][0] for word, found in tags.items()})


def _linear(kind: str, strength: float):
    from sklearn.linear_model import LogisticRegression, Ridge

    return Ridge(1 / strength) if kind == "regression" else LogisticRegression(C=strength, max_iter=1000)
