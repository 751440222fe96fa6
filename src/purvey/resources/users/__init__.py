"""Users of machines: accounts and groups, the keys that let them in, and what they may do as others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey._base.on_demand import on_demand

if TYPE_CHECKING:
    from purvey.resources.users.authorized_keys import AuthorizedKeys
    from purvey.resources.users.group import Group
    from purvey.resources.users.sudoers import Sudoers
    from purvey.resources.users.user import User

__all__ = ["AuthorizedKeys", "Group", "Sudoers", "User"]

__getattr__, __dir__ = on_demand(__name__, {
    "AuthorizedKeys": "authorized_keys", "Group": "group", "Sudoers": "sudoers", "User": "user",
})  # fmt: skip
