"""The pure parts of the database family: cutting SQL, parsing grants, configuration files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purvey.resources.postgres import _config
from purvey.resources.postgres._privileges import Objects, parse_objects, spelt
from purvey.resources.postgres._statements import statements


def cut(text: str) -> list[str]:
    """The texts of the statements."""
    return [statement.text for statement in statements(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ;; -- nothing\n/* nothing */ ;", []),
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';', \";\", E'\\';', '\\'; SELECT 2", ["SELECT ';', \";\", E'\\';', '\\'", "SELECT 2"]),
        ("SELECT 'it''s; fine'; SELECT 2", ["SELECT 'it''s; fine'", "SELECT 2"]),
        ("SELECT 1 -- ; no\n, 2; SELECT 3", ["SELECT 1 -- ; no\n, 2", "SELECT 3"]),
        ("/* a /* nested; */ ; */ SELECT 1", ["SELECT 1"]),
        ("SELECT 1 /* unclosed ;", ["SELECT 1 /* unclosed ;"]),
        ("DO $$ BEGIN; END $$; SELECT 1", ["DO $$ BEGIN; END $$", "SELECT 1"]),
        ("DO $x$ a; $$ b; $x$; SELECT $1", ["DO $x$ a; $$ b; $x$", "SELECT $1"]),
        ("SELECT a$b$c; SELECT d$b$e", ["SELECT a$b$c", "SELECT d$b$e"]),
        ("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3", None),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3",
            None,
        ),
    ],
)
def test_statements_end_where_the_server_ends_them(text: str, expected: list[str] | None) -> None:
    """A semicolon counts outside of quotes, comments, parentheses and the bodies of SQL functions only."""
    found = cut(text)

    assert found == (expected if expected is not None else [text.removesuffix("; SELECT 3"), "SELECT 3"])


@given(st.text(alphabet="a;'\"$-/*()\n E", max_size=40))
def test_no_text_is_lost_and_none_is_invented(text: str) -> None:
    """Whatever the text, the statements are parts of it, in order, each on the line that it begins on."""
    position = 0
    for statement in statements(text):
        position = text.index(statement.text, position)
        assert statement.line == text.count("\n", 0, position) + 1
        assert statement.text.strip() == statement.text != ""
        position += len(statement.text)


def test_lines_are_those_of_the_file() -> None:
    """A statement knows the line it begins on, and the line of a character in it."""
    first, second = statements("-- note\nSELECT 1;\n\nSELECT\n  x\n")

    assert (first.line, second.line) == (2, 4)
    assert second.line_at(second.text.index("x") + 1) == 5


@pytest.mark.parametrize(
    "text", ["COMMIT", "begin", "END;", "Rollback and chain", "start transaction", "PREPARE TRANSACTION 'x'"]
)
def test_statements_that_end_a_transaction_are_recognised(text: str) -> None:
    """By their first words, in any case."""
    assert statements(text)[0].ends_transaction


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "ROLLBACK TO SAVEPOINT a", "ROLLBACK WORK TO a", "PREPARE q AS SELECT 1", "DO $$ BEGIN END $$", "(SELECT 1)"],
)
def test_other_statements_are_not_taken_for_them(text: str) -> None:
    """Going back to a savepoint, preparing a statement and blocks of code do not end a transaction."""
    assert not statements(text)[0].ends_transaction


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DATABASE", Objects("DATABASE")),
        ("schema Public", Objects("SCHEMA", "public")),
        ('SCHEMA "Odd ""one"""', Objects("SCHEMA", 'Odd "one"')),
        ("TABLE orders", Objects("TABLE", "public", "orders")),
        ('table Sales."Orders"', Objects("TABLE", "sales", "Orders")),
        ("SEQUENCE s.counter", Objects("SEQUENCE", "s", "counter")),
        ("ALL TABLES IN SCHEMA  public", Objects("TABLE", "public")),
        ("all sequences in schema s", Objects("SEQUENCE", "s")),
        ("TABLE a, b", None),
        ("TABLE a; DROP TABLE a", None),
        ("ALL TABLES", None),
        ("", None),
    ],
)
def test_objects_follow_a_grammar(text: str, expected: Objects | None) -> None:
    """What follows it is understood as SQL would; nothing else is."""
    assert parse_objects(text) == expected


def test_privileges_are_spelt_as_the_server_spells_them() -> None:
    """In capitals, sorted, each once; ALL is what there is; what cannot be granted is named."""
    table, database = Objects("TABLE", "public", "t"), Objects("DATABASE")

    assert spelt(["select", "Insert", "SELECT"], table) == ["INSERT", "SELECT"]
    assert spelt(["all privileges"], database) == ["CONNECT", "CREATE", "TEMPORARY"]
    assert spelt(["temp"], database) == ["TEMPORARY"]
    with pytest.raises(ValueError, match="USAGE cannot be granted on a table"):
        spelt(["SELECT", "USAGE"], table)
    with pytest.raises(ValueError, match="none cannot"):
        spelt([], table)


@given(st.dictionaries(st.from_regex(_config.SETTING, fullmatch=True), st.text(alphabet="a'\\ #=\"1", max_size=12)))
def test_settings_are_read_back_as_they_were_written(settings: dict[str, str]) -> None:
    """Quotes, backslashes and comment signs in a value survive; the port is found among purvey's own lines."""
    text = _config.server_conf("/srv/db", "/srv/db/run", "127.0.0.1", 5433, settings)

    assert _config.settings_in(text) == settings
    assert _config.port_in(text) == 5433


def test_nobody_else_is_let_in_by_the_socket() -> None:
    """The map holds each user once, in quotes; over TCP everybody needs a password."""
    assert _config.ident(["root", "nobody", "root"]) == 'purvey "root" postgres\npurvey "nobody" postgres\n'
    assert "host all all all scram-sha-256" in _config.HBA
    assert "trust" not in _config.HBA
