"""What a pre-trained model is for: fine-tuning it for tasks."""
