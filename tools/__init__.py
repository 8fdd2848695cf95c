"""Tools that develop the project: set-up, audit, chaos runs. Nothing here is shipped."""
