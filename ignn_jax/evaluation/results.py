"""An evaluation's results: as tables for the terminal, as JSON and as CSV.

Both files hold all that two runs need to be compared. A PSNR of identical images is
infinite: "inf" in either file, which JSON cannot write as a number.
"""

import csv
import dataclasses
import io
import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ignn_jax.evaluation import published
from ignn_jax.evaluation.scores import Score, mean_score


@dataclasses.dataclass(frozen=True)
class ImageResult:
    """One image's scores.

    Attributes:
      name: unique in its set.
      height, width: of the HR image that was compared, borders included.
      lr: where the LR image comes from: "given", "given, cut" or "made".
      scores: by method: "bicubic", and the network's name.
    """

    name: str
    height: int
    width: int
    lr: str
    scores: dict[str, Score]


@dataclasses.dataclass(frozen=True)
class SetResult:
    """One benchmark's results.

    Attributes:
      name: of the set.
      folder: where it was found.
      images: those that were scored.
      failures: a line for each that was not.
    """

    name: str
    folder: str
    images: list[ImageResult]
    failures: list[str]

    @property
    def means(self) -> dict[str, Score]:
        """The means over the images, by method; empty without any."""
        if not self.images:
            return {}
        return {
            method: mean_score(image.scores[method] for image in self.images)
            for method in self.images[0].scores
        }

    @property
    def lr(self) -> str:
        """Where the LR images come from, in words."""
        count = Counter(image.lr for image in self.images)
        words = []
        if count["made"]:
            words.append("LR made by MATLAB's bicubic")
        if count["given"] or count["given, cut"]:
            words.append("LR given")
        if count["given, cut"]:
            words.append(
                f"the last row or column of {count['given, cut']} of them cut to fit"
            )
        return ", ".join(words)


def protocol(*, scale: int, network: str | None = None) -> list[str]:
    """How the scores come about, in words.

    Args:
      scale: of the super-resolution.
      network: what happens to a network's images, as of `network_protocol`.
    """
    return [
        f"HR images are cut at the bottom and the right to a multiple of {scale}.",
        "LR images are the set's own where it has them for the scale. Others are made "
        "of the cut HR image by MATLAB's bicubic imresize: antialiased, rounded to 8 "
        "bits after each of the two passes, symmetric padding.",
        "Bicubic is MATLAB's imresize of the LR image with symmetric padding, rounded "
        "once at the end.",
        *([network] if network else []),
        f"A border of {scale} pixels is cut on every side before comparing.",
        "PSNR and SSIM are taken on Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 "
        "of the 8-bit images; gray images count as RGB. SSIM has an 11 x 11 Gaussian "
        "window of sigma 1.5, inside the image.",
        "Means are over images. Identical images have an infinite PSNR, written inf.",
    ]


def network_protocol(*, tile: int, overlap: int, ensemble: bool) -> str:
    """What happens to a network's images, in words."""
    size = f"in tiles of {tile} pixels and {overlap} around" if tile else "whole"
    output = (
        "the mean of its floating-point outputs for the 8 flips and rotations"
        if ensemble
        else "its output"
    )
    return (
        f"The network sees LR images {size}; {output} is clipped to [0, 255] and "
        "rounded to 8 bits."
    )


def format_images(result: SetResult) -> str:
    """A table of a set's scores: a line per image, and their means."""
    rows = {image.name: image.scores for image in result.images}
    rows["mean"] = result.means
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"  {column:>17}" for column in rows["mean"])]
    lines += [
        f"{name:<{width}}" + "".join(f"  {score!s:>17}" for score in scores.values())
        for name, scores in rows.items()
    ]
    return "\n".join(lines)


def format_published(result: SetResult, label: str, *, scale: int) -> str:
    """A table of the published scores on a set and ours less them; "" without any."""
    rows = published.published_scores(result.name, len(result.images), scale=scale)
    if not rows or not result.means:
        return ""
    ours = result.means[label]
    lines = [f"{'published':<10}  {'':17}  {label + ' less it':>17}"]
    for method, theirs in rows.items():
        less = f"{ours.psnr - theirs.psnr:+.2f} dB / {ours.ssim - theirs.ssim:+.4f}"
        lines.append(f"{method:<10}  {theirs!s:>17}  {less:>17}")
    return "\n".join(lines)


def to_json(run: Mapping[str, Any], sets: list[SetResult], *, scale: int) -> str:
    """The results as JSON.

    Args:
      run: whatever else describes the run, of JSON's types.
      sets: the results.
      scale: of the super-resolution.
    """
    content = {
        **run,
        "sets": [
            {
                "name": result.name,
                "folder": result.folder,
                "lr": result.lr,
                "means": _plain(result.means),
                "published": _plain(
                    published.published_scores(
                        result.name, len(result.images), scale=scale
                    )
                ),
                "images": [
                    {**vars(image), "scores": _plain(image.scores)}
                    for image in result.images
                ],
                "failures": result.failures,
            }
            for result in sets
        ],
    }
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def to_csv(run: Mapping[str, Any], sets: list[SetResult]) -> str:
    """The results as CSV: a line for each image and method, and for the means.

    What describes the run comes first, in lines that start with "#", each a key and a
    value in JSON (`pandas.read_csv(path, skiprows=...)`, or `comment="#"`).
    """
    text = io.StringIO()
    for key, value in run.items():
        text.write(f"# {key}: {json.dumps(value, ensure_ascii=False)}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("set", "image", "height", "width", "lr", "method", "psnr", "ssim"))
    for result in sets:
        for image in result.images:
            head = (result.name, image.name, image.height, image.width, image.lr)
            writer.writerows((*head, m, *score) for m, score in image.scores.items())
        head = (result.name, "mean", "", "", "")
        writer.writerows((*head, m, *score) for m, score in result.means.items())
    return text.getvalue()


def _plain(scores: dict[str, Score]) -> dict[str, dict[str, float | str]]:
    return {
        method: {
            key: value if math.isfinite(value) else str(value)
            for key, value in score._asdict().items()
        }
        for method, score in scores.items()
    }
