"""How long a statement may go on when nobody waits for it any more."""

from __future__ import annotations

from typing import Final

LANDS_S: Final = 10.0
"""Seconds after its client was killed in which a server may still carry out a statement; it notices when it answers."""
