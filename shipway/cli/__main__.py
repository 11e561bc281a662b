"""`python -m shipway.cli`."""

from shipway.cli import main

main()
