"""Threads that do jobs in order."""

from __future__ import annotations

import threading

import pytest

from bakthat.adapters.aws.daemon_threads import Workers


def test_one_worker_runs_the_jobs_in_order():
    workers, done = Workers(1, "test"), list[int]()
    futures = [workers.submit(lambda number=number: done.append(number)) for number in range(50)]
    for future in futures:
        future.result(60)
    assert done == list(range(50))
    assert workers.close(60)


def test_as_many_jobs_run_at_once_as_there_are_workers():
    workers, meeting = Workers(3, "test"), threading.Barrier(3)
    futures = [workers.submit(lambda: meeting.wait(60)) for _ in range(3)]
    assert sorted(future.result(60) for future in futures) == [0, 1, 2]
    assert workers.close(60)


def test_what_a_job_raises_comes_out_of_its_future():
    workers = Workers(1, "test")
    future = workers.submit(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        future.result(60)
    assert workers.close(60)


def test_closing_cancels_jobs_that_have_not_started_and_waits_for_the_others():
    workers, begun, go_on = Workers(1, "test"), threading.Event(), threading.Event()

    def job() -> str:
        begun.set()
        go_on.wait(60)
        return "done"

    running, waiting = workers.submit(job), workers.submit(job)
    assert begun.wait(60)
    assert not workers.close(0)
    assert waiting.cancelled()
    go_on.set()
    assert running.result(60) == "done"


def test_workers_that_had_no_job_have_no_thread():
    before = threading.active_count()
    assert Workers(4, "test").close(60)
    assert threading.active_count() == before


class NeverStarted(threading.Thread):
    """Ctrl-C comes before the thread is started."""

    def start(self):
        raise KeyboardInterrupt


class StartedLate(threading.Thread):
    """Ctrl-C comes while the system starts the thread."""

    def start(self):
        threading.Timer(0.05, super().start).start()
        raise KeyboardInterrupt


@pytest.mark.parametrize("thread", [NeverStarted, StartedLate])
def test_a_thread_whose_start_was_interrupted_does_not_disturb_closing(thread: type[threading.Thread]):
    workers = Workers(1, "test", thread=thread)
    with pytest.raises(KeyboardInterrupt):
        workers.submit(lambda: None)
    assert workers.close(60)
