"""Images: root file systems in folders, and the archives that are made of them."""

from __future__ import annotations

from purvey.resources.images.image import Image
from purvey.resources.images.tree import Tree

__all__ = ["Image", "Tree"]
