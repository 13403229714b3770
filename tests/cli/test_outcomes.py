"""What is printed about each file, and about all of them."""

from pathlib import Path

from ignn_jax.cli.outcomes import report
from ignn_jax.errors import InputError
from ignn_jax.pictures.batch import Outcome
from ignn_jax.pictures.jobs import Job, Plan


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
    plan = Plan([outcome.job for outcome in outcomes], [], [])
    assert report(plan, iter(outcomes)) == ([error], False)
    captured = capsys.readouterr()
    assert captured.out == "a.png -> a_x2.png\nd.png -> d_x2.png\n"
    assert captured.err.splitlines() == [
        "a.png: a note",
        "done     2",
        "skipped  1, which exist already",
        "failed   1",
    ]


def test_a_note_from_a_file_stays_on_its_line(capsys):
    outcome = Outcome(job("a\nb"), notes=("its chunk \n\x1b[\x85 is dropped",))
    report(Plan([outcome.job], [], []), [outcome])
    captured = capsys.readouterr()
    assert captured.out == "a\\nb.png -> a\\nb_x2.png\n"
    assert captured.err == "a\\nb.png: its chunk \\n\\x1b[\\x85 is dropped\n"


def test_one_file_has_no_summary_unless_it_is_skipped(capsys):
    plan = Plan([job("a")], [], [])
    done = report(plan, [Outcome(job("a"))], comparison=Path("b.png"))
    assert done == ([], False)
    captured = capsys.readouterr()
    assert captured.out == "a.png -> a_x2.png\nBeside bicubic: b.png\n"
    assert captured.err == ""
    report(plan, [Outcome(job("a"), skipped=True)])
    assert "skipped  1" in capsys.readouterr().err


def test_what_the_plan_leaves_out(capsys):
    error = InputError("c.png: no such file or folder")
    plan = Plan([job("a")], [error], [Path("a_x2.png"), Path("b_x2.png")])
    assert report(plan, [Outcome(job("a"))]) == ([error], False)
    assert capsys.readouterr().err.splitlines() == [
        "left out, as results of an earlier run: a_x2.png and 1 more",
        "done     1",
        "skipped  0, which exist already",
        "failed   1",
    ]


def test_ctrl_c(capsys):
    def outcomes():
        yield Outcome(job("a"))
        yield Outcome(job("b"), error=InputError("b.png: is empty"))
        raise KeyboardInterrupt

    plan = Plan([job(name) for name in "abcd"], [], [])
    failures, is_interrupted = report(plan, outcomes())
    assert (len(failures), is_interrupted) == (1, True)
    captured = capsys.readouterr()
    assert captured.out == "a.png -> a_x2.png\n"
    assert captured.err.splitlines() == [
        "done     1",
        "skipped  0, which exist already",
        "failed   1",
        "stopped  before 2 of 4",
    ]
