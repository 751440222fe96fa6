"""The store in the tables of a database: one body of SQL, which every adapter's database understands.

`database` says what an adapter brings. Text is compared byte by byte, and placeholders are question marks.
"""
