"""Training data: sources, splits, anchors and negatives."""

from __future__ import annotations
