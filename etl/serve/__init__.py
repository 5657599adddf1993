"""A static server for the pages, on 127.0.0.1."""
