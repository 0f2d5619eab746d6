"""The parts every model is made of. None of them knows a model's name."""
