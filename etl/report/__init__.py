"""The questions of sql/4_reports as pages and as a notebook."""
