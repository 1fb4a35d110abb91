"""Evaluation of rewriters and classifiers."""

from __future__ import annotations
