"""The other ways to do the work, each a module that runs in a process of its own and prints one JSON document."""
