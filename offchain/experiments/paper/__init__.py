"""The paper's experiments: grids of cells, played without a chain as CONE nodes compute."""
