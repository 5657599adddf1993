"""What `serve` answers with: the pages, and the questions that people type."""
