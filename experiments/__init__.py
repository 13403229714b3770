"""One program for each table and figure of the paper."""

from ignn_jax.cli import compile_cache

compile_cache.enable()  # has to come before JAX is imported
