"""`python -m d2m` is `d2m`."""

from d2m.cli.main import main

main(prog_name="d2m")
