"""Every table and column, and where each comes from, as pages."""
