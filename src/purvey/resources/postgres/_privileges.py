"""What a grant is about, parsed once: which objects, and which SQL reads, gives and takes privileges on them. Pure.

    DATABASE                          the database itself
    SCHEMA name                       the schema itself
    TABLE name | SEQUENCE name        one object; ``schema.name`` outside of ``public``
    ALL TABLES IN SCHEMA name         every table and view there, or ALL SEQUENCES

Names are those of SQL: folded to lower case unless they are in double quotes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from psycopg import sql

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_OBJECTS = re.compile(
    rf"""\s* (?:
        (?P<database> DATABASE)
      | SCHEMA \s+ (?P<schema> {_NAME})
      | (?P<one> TABLE|SEQUENCE) \s+ (?: (?P<in> {_NAME}) \. )? (?P<name> {_NAME})
      | ALL \s+ (?P<all> TABLES|SEQUENCES) \s+ IN \s+ SCHEMA \s+ (?P<of> {_NAME})
    ) \s*""",
    re.VERBOSE | re.IGNORECASE,
)

PRIVILEGES: Final = {
    "DATABASE": frozenset({"CONNECT", "CREATE", "TEMPORARY"}),
    "SCHEMA": frozenset({"CREATE", "USAGE"}),
    "SEQUENCE": frozenset({"SELECT", "UPDATE", "USAGE"}),
    "TABLE": frozenset({"DELETE", "INSERT", "MAINTAIN", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"}),
}
"""What can be granted: https://www.postgresql.org/docs/18/ddl-priv.html."""

_READ: Final = {
    "DATABASE": """
        SELECT quote_ident(d.datname), a.privilege_type
          FROM pg_database d
          LEFT JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a ON a.grantee = %(role)s::regrole
         WHERE d.datname = current_database()""",
    "SCHEMA": """
        SELECT quote_ident(n.nspname), a.privilege_type
          FROM pg_namespace n
          LEFT JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a ON a.grantee = %(role)s::regrole
         WHERE n.nspname = %(schema)s""",
    "TABLE": """
        SELECT format('%%I.%%I', n.nspname, c.relname), a.privilege_type
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a ON a.grantee = %(role)s::regrole
         WHERE n.nspname = %(schema)s AND c.relname = coalesce(%(name)s, c.relname)
           AND c.relkind IN ('r', 'p', 'v', 'm', 'f')""",
    "SEQUENCE": """
        SELECT format('%%I.%%I', n.nspname, c.relname), a.privilege_type
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('s', c.relowner))) a ON a.grantee = %(role)s::regrole
         WHERE n.nspname = %(schema)s AND c.relname = coalesce(%(name)s, c.relname) AND c.relkind = 'S'""",
}
"""Each object, once for each privilege that the role itself was given on it, or with NULL if it was given none."""

READ_DEFAULTS: Final = """
    SELECT a.privilege_type
      FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace
      CROSS JOIN LATERAL aclexplode(d.defaclacl) a
     WHERE n.nspname = %(schema)s AND d.defaclobjtype = %(letter)s AND a.grantee = %(role)s::regrole
       AND d.defaclrole = (SELECT datdba FROM pg_database WHERE datname = current_database())
"""
"""What the role will be given on objects that the database's owner makes later."""


class Objects(msgspec.Struct, frozen=True):
    """What a grant is about.

    Attributes:
        type: A key of `PRIVILEGES`.
        schema: The schema, or that of the object; empty for a database.
        name: The one table or sequence; None for all of the schema.
    """

    type: str
    schema: str = ""
    name: str | None = None

    @property
    def many(self) -> bool:
        """Whether it is every table or sequence of a schema."""
        return self.type in ("TABLE", "SEQUENCE") and self.name is None

    @property
    def read(self) -> str:
        """The query for pairs of an object and a privilege; takes ``role`` (quoted), ``schema`` and ``name``."""
        return _READ[self.type]

    def target(self, database: str) -> sql.Composed:
        """What stands after ON in GRANT and REVOKE; `database` is the one we are connected to."""
        from psycopg import sql  # noqa: PLC0415 - the family's import stays cheap.

        if self.type == "DATABASE":
            return sql.SQL("DATABASE {}").format(sql.Identifier(database))
        if self.type == "SCHEMA":
            return sql.SQL("SCHEMA {}").format(sql.Identifier(self.schema))
        if self.name is None:
            what = "TABLES" if self.type == "TABLE" else "SEQUENCES"
            return sql.SQL(f"ALL {what} IN SCHEMA {{}}").format(sql.Identifier(self.schema))
        return sql.SQL(f"{self.type} {{}}").format(sql.Identifier(self.schema, self.name))


def parse_objects(text: str) -> Objects | None:
    """What `text` names, by the grammar of the module's docstring; None if it does not follow it."""
    match = _OBJECTS.fullmatch(text)
    if match is None:
        return None
    if match["database"]:
        return Objects("DATABASE")
    if match["schema"]:
        return Objects("SCHEMA", _folded(match["schema"]))
    if match["all"]:
        return Objects(match["all"].upper().removesuffix("S"), _folded(match["of"]))
    return Objects(match["one"].upper(), _folded(match["in"] or "public"), _folded(match["name"]))


def _folded(name: str) -> str:
    """A name as the server stores it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def spelt(privileges: list[str], of: Objects) -> list[str]:
    """`privileges` in capitals, each once, sorted; ``ALL`` becomes what can be granted on such objects.

    Raises:
        ValueError: naming those that cannot be granted on such objects.
    """
    known = PRIVILEGES[of.type]
    wanted = {{"TEMP": "TEMPORARY"}.get(word, word) for word in (" ".join(item.upper().split()) for item in privileges)}
    if wanted & {"ALL", "ALL PRIVILEGES"}:
        return sorted(known)
    if not wanted or wanted - known:
        bad = ", ".join(sorted(wanted - known)) or "none"
        raise ValueError(f"{bad} cannot be granted on a {of.type.lower()}; it knows {', '.join(sorted(known))}")
    return sorted(wanted)
