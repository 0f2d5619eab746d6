"""Text on its way to a model: corpora, tokenizers, token stores and the generated world."""
