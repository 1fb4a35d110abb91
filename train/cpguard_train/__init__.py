"""The training pipeline: contrastive perplexity for rewriters, and the classifier recipe."""

from __future__ import annotations
