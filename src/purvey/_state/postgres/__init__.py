"""The store in a PostgreSQL database, for several machines that share it."""

from __future__ import annotations

from purvey._state.postgres.open import find_postgres, open_postgres

__all__ = ["find_postgres", "open_postgres"]
