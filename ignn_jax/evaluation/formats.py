"""Results as tables for the terminal, as JSON and as CSV.

Both files hold all that it takes to compare two runs. A PSNR of identical images is
infinite: "inf" in either file, which JSON cannot write as a number.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ignn_jax.evaluation.published import published_note, published_scores
from ignn_jax.evaluation.results import Comparison, SetResult, networks_of
from ignn_jax.evaluation.scores import BICUBIC, Score
from ignn_jax.tables import text_table


def format_set(result: SetResult, *, scale: int) -> str:
    """A set's scores image by image, and their means beside the published ones."""
    lines = [f"{result.name}, x{scale}, PSNR / SSIM on Y"]
    if not result.images:
        return "\n".join([*lines, "no image was scored"])
    before = result.from_before
    lines += [
        f"{len(result.images)} images of {result.folder}; {result.lr}"
        + f"; {before} of them scored before an interruption" * bool(before),
        _format_images(result),
        *_format_comparisons(result),
    ]
    table = _format_published(result, scale=scale)
    return "\n".join([*lines, *(["", table] if table else [])])


def format_failures(sets: Sequence[SetResult]) -> str:
    """The images that were not scored, a line for each; "" if all were."""
    failures = [line for result in sets for line in result.failures]
    if not failures:
        return ""
    total = len(failures) + sum(len(result.images) for result in sets)
    return "\n".join([f"{len(failures)} of {total} failed:", *failures])


def _format_images(result: SetResult) -> str:
    rows = {image.name: image.scores for image in result.images}
    rows["mean"] = result.means
    return text_table(
        [("", *result.means), *((name, *row.values()) for name, row in rows.items())],
        align="<>",
    )


def _format_comparisons(result: SetResult) -> list[str]:
    """The networks beside the first, a line for each."""
    first = next(iter(networks_of([result])), "")
    return [
        f"{method} minus {first}: {one.psnr:+.3f} dB, ahead on {one.ahead} of "
        f"{len(result.images)} images, behind on {one.behind} "
        f"(sign test: p = {one.p:.2g})"
        for method, one in result.comparisons.items()
    ]


def _format_published(result: SetResult, *, scale: int) -> str:
    """The published scores on a set, and ours less them; "" where there are none."""
    theirs = published_scores(result.name, len(result.images), scale=scale)
    if not theirs:
        return ""
    means = result.means
    ours = {m: score for m, score in means.items() if m != BICUBIC} or means
    rows = [("published", "", *(f"{label} minus published" for label in ours))]
    for method, score in theirs.items():
        differences = (
            f"{our.psnr - score.psnr:+.2f} dB / {our.ssim - score.ssim:+.4f}"
            for our in ours.values()
        )
        rows.append((method, str(score), *differences))
    return f"{text_table(rows, align='<>')}\n{published_note(scale=scale)}"


def to_json(run: Mapping[str, Any], sets: Sequence[SetResult], *, scale: int) -> str:
    """The results as JSON.

    Args:
      run: what describes the run, of JSON's types.
      sets: the results.
      scale: of the super-resolution.
    """
    content = {**run, "sets": [_set_to_json(part, scale) for part in sets]}
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def to_csv(run: Mapping[str, Any], sets: Sequence[SetResult]) -> str:
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
        rows: list[tuple[Sequence[object], dict[str, Score]]] = [
            ((image.name, image.height, image.width, image.origin), image.scores)
            for image in result.images
        ]
        for head, scores in [*rows, (("mean", "", "", ""), result.means)]:
            for method, score in scores.items():
                writer.writerow((result.name, *head, method, *score))
    return text.getvalue()


def _set_to_json(result: SetResult, scale: int) -> dict[str, Any]:
    theirs = published_scores(result.name, len(result.images), scale=scale)
    return {
        "name": result.name,
        "folder": result.folder,
        "lr": result.lr,
        "means": _plain(result.means),
        "minus_first": _plain(result.comparisons),
        "published": _plain(theirs),
        "images": [
            {
                "name": image.name,
                "height": image.height,
                "width": image.width,
                "lr": image.origin,
                "scores": _plain(image.scores),
            }
            for image in result.images
        ],
        "failures": result.failures,
    }


def _plain(
    scores: Mapping[str, Score | Comparison],
) -> dict[str, dict[str, float | str]]:
    return {
        method: {
            key: value if math.isfinite(value) else str(value)
            for key, value in score._asdict().items()
        }
        for method, score in scores.items()
    }
