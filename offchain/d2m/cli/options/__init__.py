"""Options of the commands, in groups: the same with a key file and with any account of Ape."""
