"""The expectation suites: loaded, run on a release, written as pages."""
