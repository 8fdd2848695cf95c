"""Gas of the contracts: measured, recorded, held to its record."""
