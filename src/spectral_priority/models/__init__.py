"""Models by name: pixels in [0, 1] in, logits out; and copies of them with recomputed batch-norm statistics."""

from .batch_norm import has_batch_norm, recalibrated
from .build import build_model
from .layers import Embedder, Normalise
from .weights import load_weights

__all__ = ["Embedder", "Normalise", "build_model", "has_batch_norm", "load_weights", "recalibrated"]
