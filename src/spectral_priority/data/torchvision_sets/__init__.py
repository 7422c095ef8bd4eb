"""Data sets that torchvision knows, read from their published files: nothing is extracted, no pickle is trusted."""
