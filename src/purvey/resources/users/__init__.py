"""Users of machines: accounts and groups, the keys that let them in, and what they may do as others."""

from __future__ import annotations

from purvey.resources.users.group import Group
from purvey.resources.users.user import User

__all__ = ["Group", "User"]
