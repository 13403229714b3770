"""How many crops per second does the training pipeline deliver from the cache?

python -m benchmarks.pipeline [--data SOURCE] [--json FILE]

For comparison, a plain NumPy loop cuts the same crops in the same process, without
order, seeds, threads or batches that can be resumed.
"""

import contextlib
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from benchmarks.common import make_parser, publish
from ignn_jax.data.batches import train_batches
from ignn_jax.data.pairs import Pair
from ignn_jax.data.sets import drop_small, load_set

LR_PATCH, SCALE, BATCH = 60, 2, 16
# Of the images that are made if none are given: DIV2K's size.
COUNT, SIZE = 40, (2040, 1356)


def numpy_batches(pairs: Sequence[Pair]) -> Iterator[dict[str, np.ndarray]]:
    """Random crops, flipped and rotated, in the fewest lines."""
    rng = np.random.default_rng(0)
    while True:
        crops = []
        for _ in range(BATCH):
            pair = pairs[int(rng.integers(len(pairs)))]
            height, width, _ = pair.lr.shape
            top = rng.integers(height - LR_PATCH + 1)
            left = rng.integers(width - LR_PATCH + 1)
            flip, turns = rng.integers(2), rng.integers(4)

            def cut(image, factor, top=top, left=left, flip=flip, turns=turns):
                top, left, side = (factor * n for n in (top, left, LR_PATCH))
                crop = image[top : top + side, left : left + side]
                return np.rot90(crop[::-1] if flip else crop, turns)

            crops.append((cut(pair.lr, 1), cut(pair.hr, SCALE)))
        lr, hr = zip(*crops, strict=True)
        yield {"lr": np.stack(lr), "hr": np.stack(hr)}


def crops_per_second(
    batches: Iterator[dict[str, np.ndarray]], *, seconds: float, repeats: int
) -> list[float]:
    """A rate for each repeat of so many seconds, after a warm-up of the same length."""
    rates = []
    for _ in range(repeats + 1):
        start, count = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - start) < seconds:
            next(batches)
            count += BATCH
        rates.append(count / elapsed)
    return rates[1:]


def make_images(folder: pathlib.Path) -> str:
    """Writes smooth noise as PNG files of DIV2K's size; returns their source."""
    for n in range(COUNT):
        coarse = np.random.default_rng(n).integers(0, 256, (34, 51, 3), np.uint8)
        image = Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)
        image.save(folder / f"{n}.png", compress_level=1)
    return f"folder:{folder}"


def main(argv: list[str] | None = None) -> None:
    parser = make_parser(__doc__, network=False)
    parser.add_argument("--data", metavar="SOURCE", help="as data.train")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each run")
    args = parser.parse_args(argv)

    with contextlib.ExitStack() as stack:
        cache, spec = "", args.data
        if not spec:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            (folder / "images").mkdir()
            cache, spec = str(folder / "cache"), make_images(folder / "images")
        start = time.perf_counter()
        images = load_set(spec, scale=SCALE, cache=cache)
        pairs = drop_small(images, LR_PATCH * SCALE)
        loading = time.perf_counter() - start
        options = {"seconds": args.seconds, "repeats": args.repeats}
        whole = train_batches(
            pairs, lr_patch=LR_PATCH, scale=SCALE, batch_size=BATCH, seed=0
        )
        rates = {
            "ignn_jax.data.batches": crops_per_second(whole, **options),
            "plain NumPy": crops_per_second(numpy_batches(pairs), **options),
        }

    rows = [
        {
            "crops per second": name,
            "median": statistics.median(values),
            "lowest": min(values),
            "highest": max(values),
            "rates": values,
        }
        for name, values in rates.items()
    ]
    sizes = f"{LR_PATCH} x {LR_PATCH} + {LR_PATCH * SCALE} x {LR_PATCH * SCALE}"
    title = f"{sizes} out of {len(pairs)} images, batches of {BATCH}"
    args.data = args.data or "smooth noise"
    publish({title: rows}, args, loading_seconds=loading)


if __name__ == "__main__":
    main()
