"""The cost of a run of the warehouse, compared with other ways to do the same work on the same messages and machine."""
