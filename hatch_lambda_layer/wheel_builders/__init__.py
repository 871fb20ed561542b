"""Wheel builders: one Protocol, one module per way to build; every result is a verified wheel."""

from __future__ import annotations

from .policy import BuildPolicy
from .protocol import Requirements
from .relocking import Relocking
from .select import LayerSources
from .sources import source_digest

__all__ = ["BuildPolicy", "LayerSources", "Relocking", "Requirements", "source_digest"]
