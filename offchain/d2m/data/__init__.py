"""Data sets, their partition among sellers, and a party's own data file."""
