"""What came before pre-trained models, and is their yardstick: counting words, alone and together."""
