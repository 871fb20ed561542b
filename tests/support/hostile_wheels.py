"""The catalogue of hostile wheels: `HOSTILE["parent-traversal"]()` gives a `HostileWheel`."""

from __future__ import annotations

from tests.support.hostile_dist_info import HOSTILE_DIST_INFO
from tests.support.hostile_zips import BOMB_SIZE, HOSTILE_ZIPS, Catalogue, HostileWheel

HOSTILE: Catalogue = {**HOSTILE_ZIPS, **HOSTILE_DIST_INFO}
"""Every hostile wheel by the name of its fault. Built when called; the bombs take a second each."""

__all__ = ["BOMB_SIZE", "HOSTILE", "HostileWheel"]
