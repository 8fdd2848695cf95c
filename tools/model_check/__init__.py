"""Model check: the market played at random beside its model, and beside planted bugs."""
