"""What a run of the warehouse costs, beside other ways to do the same work on the same messages and machine."""
