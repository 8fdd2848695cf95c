"""Pure rules that contracts and programs share: types, units, bounds, sortition, ballots."""
