"""The store in one SQLite file, for one machine: no server to start, and every promise of a store kept."""

from __future__ import annotations

from purvey._state.sqlite.open import find_sqlite, open_sqlite

__all__ = ["find_sqlite", "open_sqlite"]
