"""PostgreSQL: servers, and what is in them."""

from __future__ import annotations

from purvey.resources.postgres.check import Check
from purvey.resources.postgres.database import Database
from purvey.resources.postgres.grant import Grant
from purvey.resources.postgres.migrations import Migrations
from purvey.resources.postgres.role import Role
from purvey.resources.postgres.server import Server

__all__ = ["Check", "Database", "Grant", "Migrations", "Role", "Server"]
