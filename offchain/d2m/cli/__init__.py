"""The command line: options and their types, sessions, confirmation, what is shown."""
