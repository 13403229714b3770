import sys

from ignn_jax.cli import main

sys.exit(main())
