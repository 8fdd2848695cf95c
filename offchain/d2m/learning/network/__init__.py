"""Networks: operators, specification, the exact forward pass, import from PyTorch."""
