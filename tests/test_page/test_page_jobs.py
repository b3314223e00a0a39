"""The queue: order, progress, canceling, failing, ending."""

import threading

import pytest

from mmdsr.errors import CanceledJobError, RefusedRequestError
from mmdsr.page.jobs import Job, JobQueue, Progress


@pytest.fixture
def queue():
    made = JobQueue('test')
    yield made
    made.close()


class Gate:
    """A job that waits for the test, and notes when it runs."""

    def __init__(self, notes=None, name=''):
        self.began, self.go = threading.Event(), threading.Event()
        self.notes, self.name = notes, name

    def __call__(self, progress):
        self.began.set()
        while not self.go.wait(0.01):
            progress.report(0.5, 'half')
        if self.notes is not None:
            self.notes.append(self.name)
        return {'name': self.name}


def note(notes, name):
    gate = Gate(notes, name)
    gate.go.set()
    return gate


def test_job_reports_its_progress(queue):
    gate = Gate(name='one')
    job = Job('me', 'one', gate)
    assert job.state == 'waiting'
    assert job.seconds == 0
    queue.add(job)
    assert gate.began.wait(10)
    assert job.state == 'running'
    gate.go.set()
    assert queue.wait_for(job)
    assert job.state == 'done'
    assert job.outcome == {'name': 'one'}
    assert job.progress.share == 1
    assert job.seconds == job.seconds > 0


def test_sessions_take_turns(queue):
    notes, gate = [], Gate()
    first = Job('a', 'first', gate)
    queue.add(first)
    assert gate.began.wait(10)
    jobs = [
        Job(name[0], name, note(notes, name))
        for name in ('a1', 'a2', 'a3', 'b1', 'c1', 'b2')
    ]
    for job in jobs:
        queue.add(job)
    # One is running; then b, c, a in turn.
    places = [queue.place(job) for job in jobs]
    assert places == [3, 5, 6, 1, 2, 4]
    assert queue.place(first) == 0
    gate.go.set()
    for job in jobs:
        assert queue.wait_for(job)
    assert notes == ['b1', 'c1', 'a1', 'b2', 'a2', 'a3']


def test_a_waiting_job_never_runs_once_canceled(queue):
    notes, gate = [], Gate()
    queue.add(Job('a', 'first', gate))
    assert gate.began.wait(10)
    job, last = (Job('a', n, note(notes, n)) for n in ('second', 'last'))
    queue.add(job)
    queue.add(last)
    queue.cancel(job)
    assert job.state == 'canceled'
    assert queue.place(job) == 0
    gate.go.set()
    assert queue.wait_for(last)
    assert notes == ['last']


def test_a_running_job_is_canceled_and_the_next_one_runs(queue):
    gate, notes = Gate(), []
    job, after = Job('a', 'one', gate), Job('a', 'two', note(notes, 'two'))
    queue.add(job)
    queue.add(after)
    assert gate.began.wait(10)
    queue.cancel(job)
    assert queue.wait_for(job)
    assert job.state == 'canceled'
    assert queue.wait_for(after)
    assert notes == ['two']
    queue.cancel(after)
    assert after.state == 'done'


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (ValueError('A thing is wrong: fix it.\nmore'), 'A thing is wrong'),
        (MemoryError('too little'), 'too little'),
        (KeyError('secret'), 'An internal error occurred'),
    ],
)
def test_failed_job_gives_the_reason(queue, error, text, caplog):
    def fail(_):
        raise error

    job = Job('a', 'one', fail)
    queue.add(job)
    assert queue.wait_for(job)
    assert job.state == 'failed'
    assert job.error.startswith(text)
    assert '\n' not in job.error
    assert 'secret' not in job.error
    # What nobody expected is in the log, whole.
    assert ('secret' in caplog.text) == isinstance(error, KeyError)


def test_closing_cancels_all():
    queue, gate = JobQueue('test'), Gate()
    running, waiting = Job('a', 'one', gate), Job('b', 'two', gate)
    queue.add(running)
    queue.add(waiting)
    assert gate.began.wait(10)
    queue.close()
    assert {running.state, waiting.state} == {'canceled'}
    with pytest.raises(RefusedRequestError, match='shutting down'):
        queue.add(Job('a', 'three', gate))


def test_progress_stays_in_its_range():
    progress = Progress()
    progress.report(7, 'much')
    assert progress.share == 1
    progress.cancel()
    with pytest.raises(CanceledJobError):
        progress.report(0, 'again')
