"""What a source holds, and a picture of what the network is going to see of it."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from ignn_jax.data.batches import train_batches
from ignn_jax.data.pairs import Pair, PairSet

# Pixels; and crops in a row. Smaller crops than _LEAST are magnified.
_MARGIN, _CAPTION, _LEAST = 8, 20, 120
_COLUMNS = 4
# Names of one reason that are printed.
_NAMES = 5


def describe(images: PairSet) -> str:
    """Counts, sizes, weights and origins, and what was left out and why, as text."""
    by_area = sorted(images, key=lambda pair: pair.hr.shape[0] * pair.hr.shape[1])
    sizes = [_size(by_area[n]) for n in (0, len(images) // 2, -1)]
    lines = [
        f"{len(images)} image{'s' * (len(images) > 1)}",
        "  HR sizes: smallest {}, median {}, largest {}".format(*sizes),
        f"  LR images: {_counts(pair.origin for pair in images)}",
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


def contact_sheet(
    pairs: Sequence[Pair],
    *,
    scale: int,
    lr_patch: int,
    seed: int,
    channel_shuffle: bool,
    count: int = 16,
) -> Image.Image:
    """The first crops of a training with that seed, LR enlarged beside HR.

    Args:
      pairs: the training images; the rest as `train_batches`.
      count: of the crops.
    """
    batch = next(
        train_batches(
            pairs,
            lr_patch=lr_patch,
            scale=scale,
            batch_size=count,
            seed=seed,
            channel_shuffle=channel_shuffle,
            num_threads=0,
        )
    )
    side = lr_patch * scale
    side *= -(-_LEAST // side)  # room for the captions
    width, height = 2 * side + 2 * _MARGIN, side + _CAPTION + _MARGIN
    size = (_COLUMNS * width + _MARGIN, -(-count // _COLUMNS) * height + _MARGIN)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for n, (lr, hr) in enumerate(zip(batch["lr"], batch["hr"], strict=True)):
        left = n % _COLUMNS * width + _MARGIN
        top = n // _COLUMNS * height + _MARGIN
        for m, (label, crop) in enumerate((("LR", lr), ("HR", hr))):
            at = left + m * side + m * _MARGIN // 2
            caption = f"{n + 1} {label} {len(crop)} x {len(crop)}"
            draw.text((at, top), caption, fill="black", font=font)
            enlarged = Image.fromarray(crop).resize(
                (side, side), Image.Resampling.NEAREST
            )
            sheet.paste(enlarged, (at, top + _CAPTION))
    return sheet


def _size(pair: Pair) -> str:
    return f"{pair.hr.shape[1]} x {pair.hr.shape[0]}"


def _counts(values) -> str:
    return ", ".join(f"{count} {value}" for value, count in Counter(values).items())
