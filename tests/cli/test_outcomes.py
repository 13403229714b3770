"""What is printed about each file, and about all of them."""

from pathlib import Path

from ignn_jax.cli.outcomes import report
from ignn_jax.errors import InputError
from ignn_jax.pictures.batch import Outcome
from ignn_jax.pictures.jobs import Job


def job(name):
    return Job(Path(f"{name}.png"), Path(f"{name}_x2.png"))


def test_several_files(capsys):
    error = InputError("b.png: is empty")
    outcomes = [
        Outcome(job("a"), notes=("a note",)),
        Outcome(job("b"), error=error),
        Outcome(job("c"), skipped=True),
        Outcome(job("d")),
    ]
    assert report(iter(outcomes), count=4) == [error]
    captured = capsys.readouterr()
    assert captured.out == "a.png -> a_x2.png\nd.png -> d_x2.png\n"
    assert captured.err.splitlines() == [
        "a.png: a note",
        "done     2",
        "skipped  1, which exist already",
        "failed   1",
    ]


def test_one_file_has_no_summary_unless_it_is_skipped(capsys):
    assert report([Outcome(job("a"))], count=1, comparison=Path("b.png")) == []
    captured = capsys.readouterr()
    assert captured.out == "a.png -> a_x2.png\nBeside bicubic: b.png\n"
    assert captured.err == ""
    report([Outcome(job("a"), skipped=True)], count=1)
    assert "skipped  1" in capsys.readouterr().err
