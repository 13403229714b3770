"""Pure functions of arrays, without parameters."""
