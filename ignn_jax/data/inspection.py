"""What a source holds, in words, and a picture of its first training crops."""

import io
import pathlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ignn_jax.data.batches import train_batches
from ignn_jax.data.pairs import Pair, PairSet
from ignn_jax.files import write_bytes

# Of the sheet, in pixels. Crops that are smaller than _SMALLEST_CROP are enlarged.
_MARGIN, _CAPTION, _SMALLEST_CROP = 8, 20, 120
_CROPS, _COLUMNS = 16, 4
# How many names are listed for each reason why images are left out.
_NAMES = 5


def describe(images: PairSet) -> str:
    """Counts, sizes, weights and origins of images, and what was left out and why."""
    by_area = sorted(images, key=lambda pair: pair.hr.shape[0] * pair.hr.shape[1])
    sizes = [_size(by_area[n]) for n in (0, len(images) // 2, -1)]
    lines = [
        f"{len(images)} image{'s' * (len(images) > 1)}",
        "  HR sizes: smallest {}, median {}, largest {}".format(*sizes),
        f"  LR images: {_counts(pair.origin for pair in images)}",
        *(f"  {line}" for line in images.lr),
    ]
    weights = Counter(pair.weight for pair in images)
    if len(weights) > 1:
        total = sum(weight * count for weight, count in weights.items())
        lines += [
            f"  weight {weight}: {count} images, {weight * count / total:.0%} of crops"
            for weight, count in sorted(weights.items())
        ]
    lines.append(f"{len(images.left_out)} left out")
    names = defaultdict(list)
    for name, reason in images.left_out:
        names[reason].append(name)
    for reason, those in sorted(names.items(), key=lambda item: -len(item[1])):
        more = f" and {len(those) - _NAMES} more" if len(those) > _NAMES else ""
        lines.append(f"  {len(those)}: {reason}: {', '.join(those[:_NAMES])}{more}")
    return "\n".join(lines)


def write_contact_sheet(
    path: pathlib.Path,
    pairs: Sequence[Pair],
    *,
    lr_patch: int,
    scale: int,
    seed: int,
    channel_shuffle: bool,
) -> None:
    """Writes a PNG of the first crops of a training, LR enlarged beside HR.

    Args:
      path: the file; it is replaced if it exists.
      pairs: the training images.
      lr_patch: as in `train_batches`, like the rest.
      scale: as in `train_batches`.
      seed: as in `train_batches`.
      channel_shuffle: as in `train_batches`.

    Raises:
      InputError: as `train_batches`, or the file cannot be written.
    """
    batches = train_batches(
        pairs,
        lr_patch=lr_patch,
        scale=scale,
        batch_size=_CROPS,
        seed=seed,
        channel_shuffle=channel_shuffle,
        num_threads=0,
    )
    file = io.BytesIO()
    _draw(next(batches), side=lr_patch * scale).save(file, "png")
    write_bytes(path, file.getvalue())


def _draw(batch: dict[str, np.ndarray], *, side: int) -> Image.Image:
    side *= -(-_SMALLEST_CROP // side)  # so that the captions fit
    width, height = 2 * side + 2 * _MARGIN, side + _CAPTION + _MARGIN
    size = (_COLUMNS * width + _MARGIN, -(-_CROPS // _COLUMNS) * height + _MARGIN)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for n, crops in enumerate(zip(batch["lr"], batch["hr"], strict=True)):
        left = n % _COLUMNS * width + _MARGIN
        top = n // _COLUMNS * height + _MARGIN
        for label, crop in zip(("LR", "HR"), crops, strict=True):
            caption = f"{n + 1} {label} {len(crop)} x {len(crop)}"
            draw.text((left, top), caption, fill="black", font=font)
            enlarged = Image.fromarray(crop).resize(
                (side, side), Image.Resampling.NEAREST
            )
            sheet.paste(enlarged, (left, top + _CAPTION))
            left += side + _MARGIN // 2
    return sheet


def _size(pair: Pair) -> str:
    return f"{pair.hr.shape[1]} x {pair.hr.shape[0]}"


def _counts(values: Iterable[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in Counter(values).items())
