"""Rewriters, one a file; each has a factory `load(argument)` in the registry."""

from __future__ import annotations
