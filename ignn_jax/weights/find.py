"""Where weights are: a file, a run's workdir, or a name that comes with the package.

Nothing here needs JAX, which takes a second to import.
"""

import os
import pathlib

from ignn_jax.errors import InputError
from ignn_jax.weights.file import read_header

# The two files that a training run keeps up to date in its workdir.
FILENAME, BEST_FILENAME = "weights.safetensors", "best.safetensors"

PRETRAINED = pathlib.Path(__file__).with_name("pretrained")


def pretrained() -> dict[str, pathlib.Path]:
    """The weights that come with the package: name to file, by scale and size."""

    def order(path):  # tiny-x2, light-x2, tiny-x3
        return path.stem.rpartition("-x")[2], path.stat().st_size

    files = sorted(PRETRAINED.glob("*.safetensors"), key=order)
    return {path.stem: path for path in files}


def default_weights(scale: int | None = None, *, outscale: float | None = None) -> str:
    """The name of the smallest weights that come with the package for a scale.

    They are those of the fastest network.

    Args:
      scale: of the network; None means the one that suits `outscale`.
      outscale: how much wider and higher results are to be: the network's scale is the
        next one that reaches it, or the largest that there is. None means x2.

    Raises:
      InputError: the package has none for this scale.
    """
    files = pretrained()
    scales = {name: read_header(path)["model"]["scale"] for name, path in files.items()}
    if scale is None:
        reaching = [n for n in scales.values() if n >= (outscale or 2)]
        scale = min(reaching) if reaching else max(scales.values(), default=2)
    fitting = [name for name in files if scales[name] == scale]
    if not fitting:
        there = ", ".join(f"{name} (x{n})" for name, n in scales.items()) or "none"
        raise InputError(
            f"the package has no weights for x{scale}, only {there}; give your own "
            "weights, or leave out the scale and set the output scale instead",
            field="scale",
        )
    return fitting[0]


def find_weights(weights: str | os.PathLike[str]) -> pathlib.Path:
    """Finds a weights file.

    Args:
      weights: a file, the workdir of a training run, or the name of weights that come
        with the package. A file or folder of that name comes first.

    Raises:
      InputError: it is none of these, or the workdir holds no weights.
    """
    if not isinstance(weights, str | os.PathLike):
        raise InputError(f"{weights!r} is not a file's name", field="weights")
    path, files = pathlib.Path(weights), pretrained()
    if os.path.isdir(path):
        if not os.path.isfile(path / FILENAME):
            raise InputError(
                f"{path}: no {FILENAME} in this folder; give a weights file or the "
                "workdir of a training run that has saved a checkpoint"
            )
        return path / FILENAME
    if os.path.isfile(path):
        return path
    if str(weights) not in files:
        raise InputError(
            f"{path}: no such weights file, and not the name of weights that come with "
            f"the package: {', '.join(files) or 'none do'}"
        )
    return files[str(weights)]
