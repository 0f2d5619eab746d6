"""The model families, one file each, and what turns a config into a network."""
