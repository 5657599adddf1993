"""`python -m etl` is the command line."""

from etl.cli import main

main()
