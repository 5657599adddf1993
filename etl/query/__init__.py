"""Queries in SQL: statements in, rows out, as a table, CSV, JSON or a file."""

from etl.query.formats import formatted

__all__ = ["formatted"]
