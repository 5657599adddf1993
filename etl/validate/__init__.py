"""The expectation suites: run, reported, kept."""
