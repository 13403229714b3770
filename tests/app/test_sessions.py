"""Pages that are open at once, and what is left when they are closed."""

import threading

import pytest

from ignn_jax.app.sessions import Sessions, StoppedError


@pytest.fixture
def sessions(tmp_path):
    return Sessions(tmp_path)


def test_files_go_with_their_page(sessions, tmp_path):
    upload = tmp_path / "upload.png"
    upload.write_bytes(b"1")
    session = sessions.of("a", [upload])
    assert sessions.of("a") is session
    (session.new_folder("results") / "x2.png").write_bytes(b"2")
    sessions.close("a")
    assert not list(tmp_path.iterdir())
    sessions.close("a")  # nothing is left to close


def test_what_two_pages_have_sent_stays_for_the_other(sessions, tmp_path):
    upload = tmp_path / "upload.png"
    upload.write_bytes(b"1")
    sessions.of("a", [upload])
    sessions.of("b", [upload])
    sessions.close("a")
    assert upload.exists()
    sessions.close("b")
    assert not upload.exists()


def test_a_folder_is_empty_when_it_is_asked_for_again(sessions):
    session = sessions.of("a")
    (session.new_folder("parts") / "0.png").write_bytes(b"")
    assert not list(session.new_folder("parts").iterdir())


def test_stop_ends_the_work_and_not_the_next(sessions):
    session = sessions.of("a")
    with session.work():
        session.check()
        session.stop()
        with pytest.raises(StoppedError):
            session.check()
    with session.work():
        session.check()


def test_a_page_closed_in_mid_work_is_removed_after_it(sessions):
    session = sessions.of("a")
    folder = session.new_folder("results")
    with session.work():
        sessions.close("a")
        with pytest.raises(StoppedError):
            session.check()
        assert folder.exists()  # the work may still write there
    assert not session.folder.exists()
    with pytest.raises(StoppedError), session.work():
        pass


def test_pages_take_turns_and_stop_waiting(sessions):
    first, second = sessions.of("a"), sessions.of("b")
    waits, got_in = threading.Event(), threading.Event()

    def work():
        with second.work():
            waits.set()
            with sessions.turn(second):
                got_in.set()

    with sessions.turn(first):
        thread = threading.Thread(target=work)
        thread.start()
        assert waits.wait(5)
        assert not got_in.wait(0.2)
    assert got_in.wait(5)
    thread.join()
    with sessions.turn(first), second.work():
        second.stop()
        with pytest.raises(StoppedError), sessions.turn(second):
            pass
