"""The version of purvey, in one place."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""The version of this package, as `purvey version` and every run record show it."""
