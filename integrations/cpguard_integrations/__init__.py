"""Integrations with other frameworks, one a file."""

from __future__ import annotations
