"""`python -m app.cli`, the same as `tocsin`."""

from app.cli import main

main()
