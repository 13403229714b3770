"""The graph looked into: neighbors of a patch, and statistics of all."""
