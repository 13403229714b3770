"""Strict JAX for every test, and the folder of images that some of them want."""

import os
import pathlib

import pytest

REPOSITORY = pathlib.Path(__file__).parents[1]

# Compiled programs are shared by all tests and processes, and kept for the next run.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(REPOSITORY / ".pytest_cache" / "compiled")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import jax  # noqa: E402, it reads these when it is imported
from jaxtyping import install_import_hook  # noqa: E402

# Shapes are checked as they are annotated; but not in ops.bicubic and ops.color, which
# check their own arguments and are given wrong ones, nor in models.embedding, since
# beartype cannot check what it inherits from Flax.
SHAPED = {
    "ops": ("patches", "regions", "search", "windows"),
    "models": ("aggregation", "edsr", "graph", "ignn", "non_local"),
}
install_import_hook(
    [f"ignn_jax.{room}.{name}" for room, names in SHAPED.items() for name in names],
    "beartype.beartype",
)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# The tests' tolerances are those of float32. GPUs and TPUs use fewer bits by default.
jax.config.update("jax_default_matmul_precision", "highest")
# Compiling takes most of the tests' time, and this halves it. The golden tests, and
# programs in new processes, are compiled as they are for users.
jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="module")
def optimized():
    """Compiles what a module's tests run as it is compiled for users."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="module", autouse=True)
def forget_programs():
    """Frees compiled programs: Linux allows a process 65,530 mappings, and XLA crashes
    where it gets no more."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> None:
    """Puts decoded images into a folder of this session, not into the user's."""
    os.environ["IGNN_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def images() -> pathlib.Path:
    """The folder with `train/` and `benchmark/`; skips the test if there is none."""
    folder = os.environ.get("IGNN_DATA")
    if not folder:
        pytest.skip("IGNN_DATA is not set: tests on benchmark images are skipped")
    return pathlib.Path(folder)
