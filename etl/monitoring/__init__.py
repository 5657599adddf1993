"""How things stand: the facts, the limits they must keep, and where they are shown."""
