"""SQL text cut into its statements, so that a failing one can be shown with its file and line. Pure.

Statements are sent one at a time: the server tells the position of an error only inside the text that it was given, and for
many errors not even that. Where a statement ends is found as psql finds it: at a semicolon that stands outside of quotes,
comments, parentheses and the bodies of SQL-standard functions (``BEGIN ATOMIC ... END``). What a statement means is the
server's business, with one exception: a migration that ends its own transaction would leave half of itself behind, so such
statements are recognised by their first word.
"""

from __future__ import annotations

import re

import msgspec

_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\* )
    | (?P<quoted> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" )
    | (?P<dollar> \$(?P<tag>[^\W\d]\w*)?\$ )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<mark> [();] )
    """,
    re.VERBOSE | re.DOTALL,
)
_NESTED = re.compile(r"/\*|\*/")

_WORDS = re.compile(r"[A-Z]+")

_TRANSACTION = frozenset({"ABORT", "BEGIN", "COMMIT", "END", "ROLLBACK", "START"})
"""First words of the statements that begin or end a transaction."""


class Statement(msgspec.Struct, frozen=True):
    """One statement: its text without leading blanks and comments, and the line (from 1) on which it begins."""

    text: str
    line: int

    @property
    def ends_transaction(self) -> bool:
        """Whether it begins or ends a transaction by itself (``ROLLBACK TO`` a savepoint does not)."""
        words = _WORDS.findall(self.text.upper(), 0, 80)[:3]
        if words[:1] == ["PREPARE"]:
            return words[1:2] == ["TRANSACTION"]
        return words[:1] != [] and words[0] in _TRANSACTION and not (words[0] == "ROLLBACK" and "TO" in words)

    def line_at(self, position: int) -> int:
        """The line in the file of character `position` (from 1) of the statement, as the server counts."""
        return self.line + self.text.count("\n", 0, max(0, position - 1))


class _Cutter:
    """The state while walking through the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Statement] = []
        self.begin = -1
        self.words: list[str] = []
        self.parentheses = 0
        self.blocks = 0

    def saw(self, position: int) -> None:
        """Something that is neither blank nor comment stands at `position`."""
        if self.begin < 0:
            self.begin = position

    def cut(self, end: int) -> None:
        """The statement ends before `end`."""
        if self.begin >= 0:
            text = self.text[self.begin : end].rstrip()
            self.found.append(Statement(text, self.text.count("\n", 0, self.begin) + 1))
        self.begin, self.words, self.parentheses, self.blocks = -1, [], 0, 0

    def word(self, word: str) -> None:
        """Count the blocks of a function's body; elsewhere BEGIN and END are ordinary words."""
        if len(self.words) < 4:  # noqa: PLR2004 - CREATE OR REPLACE FUNCTION.
            self.words.append(word)
        if self.words[0] != "CREATE" or not {"FUNCTION", "PROCEDURE"} & set(self.words):
            return
        if word == "BEGIN" or (word == "CASE" and self.blocks):
            self.blocks += 1
        elif word == "END" and self.blocks:
            self.blocks -= 1

    def mark(self, mark: str, position: int) -> None:
        """A parenthesis, or a semicolon, which ends the statement unless something is open."""
        if mark == "(":
            self.parentheses += 1
        elif mark == ")":
            self.parentheses = max(0, self.parentheses - 1)
        elif not self.parentheses and not self.blocks:
            self.cut(position)


def statements(text: str) -> list[Statement]:
    """The statements of `text` in their order; text without any gives an empty list."""
    cutter = _Cutter(text)
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            if not text[position].isspace():
                cutter.saw(position)
            position += 1
            continue
        position = _end_of(token, text)
        if token["comment"]:
            continue
        if token[0] != ";":
            cutter.saw(token.start())
        if token["word"]:
            cutter.word(token[0].upper())
        elif token["mark"]:
            cutter.mark(token[0], token.start())
    cutter.cut(len(text))
    return cutter.found


def _end_of(token: re.Match[str], text: str) -> int:
    """Where a token ends; comments nest, and a dollar-quoted text ends with its own tag."""
    if token[0] == "/*":
        depth, position = 1, token.end()
        while depth and (edge := _NESTED.search(text, position)):
            depth += 1 if edge[0] == "/*" else -1
            position = edge.end()
        return position if depth == 0 else len(text)
    if token["dollar"]:
        end = text.find(token[0], token.end())
        return len(text) if end < 0 else end + len(token[0])
    return token.end()
