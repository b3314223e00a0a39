"""Runs as jobs of Slurm; a stand-in for Slurm runs them here."""

import os
import sys
import time

import pytest
from rich.console import Console

from mmdsr.errors import UsageError
from mmdsr.experiments.options import RunOptions
from mmdsr.experiments.runs import TrainingRun, run_all
from mmdsr.io.reports import write_json

submitit = pytest.importorskip('submitit')

SLURM = """
import os, pathlib, signal, subprocess, sys

jobs = pathlib.Path(__file__).parent / 'jobs'
jobs.mkdir(exist_ok=True)
name, words = sys.argv[1], sys.argv[2:]


def begin(number, script):
    job = subprocess.Popen(
        ['bash', script],
        env=dict(os.environ, SLURM_JOB_ID=number, SLURM_CPUS_ON_NODE='3'),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (jobs / number).write_text(f'{job.pid} {script}')


if name == 'sbatch':
    limit = jobs.parent / 'limit'
    if limit.is_file() and len(list(jobs.iterdir())) >= int(limit.read_text()):
        sys.exit('sbatch: error: QOSMaxSubmitJobPerUserLimit')
    number = str(len(list(jobs.iterdir())) + 1)
    # As Slurm does: submitit renames its file at once.
    script = jobs.parent / f'{number}.sh'
    script.write_text(pathlib.Path(words[0]).read_text())
    begin(number, script)
    print('Submitted batch job', number)
elif name == 'scontrol':
    begin(words[1], (jobs / words[1]).read_text().split()[1])
elif name == 'srun':
    command = words[words.index(sys.executable):]
    os.execv(command[0], command)
elif name == 'scancel':
    signs = {'SIGTERM': signal.SIGTERM, 'USR2': signal.SIGUSR2}
    sign = signs.get(words[-1], signal.SIGKILL)
    os.killpg(int((jobs / words[0]).read_text().split()[0]), sign)
else:
    print('JobID|State|NodeList')
    for job in jobs.iterdir():
        try:
            number = job.read_text().split()[0]
            stat = pathlib.Path('/proc', number, 'stat').read_text()
            alive = stat.split()[2] != 'Z'
        except OSError:
            alive = False
        print(f"{job.name}|{'RUNNING' if alive else 'FAILED'}|here")
"""
WORKER = """
import json, os, pathlib, sys, time

folder = pathlib.Path(sys.argv[1])
task = json.loads((folder / 'task.json').read_text())
print('threads', os.environ['OMP_NUM_THREADS'], flush=True)
while (folder / 'wait').is_file():
    time.sleep(0.05)
if (folder / 'broken').is_file():
    sys.exit('UsageError: broken')
results = dict.fromkeys(task['tests'] or ['a'], 1)
result = {'task': task, 'results': results}
(folder / 'result.json').write_text(json.dumps(result))
"""
REPLACE = """
import sys

# The jobs of the test, and nothing else, have this on their path.
if 'submitit.core._submit' in sys.orig_argv:
    import mmdsr.experiments.processes

    mmdsr.experiments.processes.WORKER = 'worker_of_the_test'
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Put the stand-in, and a worker that does not train, on the paths."""
    place = tmp_path / 'slurm'
    place.mkdir()
    (place / 'slurm.py').write_text(SLURM)
    (place / 'worker_of_the_test.py').write_text(WORKER)
    (place / 'sitecustomize.py').write_text(REPLACE)
    for name in ('sbatch', 'srun', 'sacct', 'scancel', 'scontrol'):
        tool = place / name
        tool.write_text(
            f'#!/bin/sh\nexec {sys.executable} {place}/slurm.py {name} "$@"\n'
        )
        tool.chmod(0o755)
    monkeypatch.setenv('PATH', str(place), prepend=os.pathsep)
    paths = [str(place), *filter(None, sys.path)]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(paths))
    # sacct is asked at once, not every ten minutes.
    monkeypatch.setattr(submitit.SlurmJob.watcher, '_delay_s', 0)
    submitit.SlurmJob.watcher.clear()
    return place


def make(folder, name, *marks):
    place = folder / name
    place.mkdir()
    for mark in marks:
        (place / mark).touch()
    run = TrainingRun('ablation', name, 0, name, place)
    write_json(place / 'task.json', run.task)
    return run


def run(runs, *parameters, jobs=2):
    options = RunOptions(jobs=jobs, slurm=parameters or ('time=5',))
    run_all(runs, options, Console(quiet=True), lambda run: '', 0.05)


def jobs_of(slurm):
    return sorted(path.name for path in (slurm / 'jobs').iterdir())


def test_jobs_that_end_well_and_badly(slurm, tmp_path):
    good, bad = make(tmp_path, 'good'), make(tmp_path, 'bad', 'broken')
    run([good, bad], 'time=7', 'partition=gpu')
    assert good.results == {'a': 1}
    assert bad.results is None
    assert 'exit code 1: UsageError: broken' in bad.error
    assert 'threads 3' in (good.folder / 'log.txt').read_text()
    (script,) = (good.folder / 'slurm').glob('*_submission.sh')
    assert '#SBATCH --partition=gpu' in script.read_text()
    assert '#SBATCH --time=7' in script.read_text()
    # What is done is not submitted again.
    run([good])
    assert jobs_of(slurm) == ['1', '2']


def test_a_job_of_an_earlier_start_is_waited_for(slurm, tmp_path):
    from mmdsr.experiments.slurm import Submitter

    one = make(tmp_path, 'one', 'wait')
    early = Submitter(('time=5',)).start(one.folder)
    again = Submitter(('time=5',)).start(one.folder)
    assert again.job.job_id == early.job.job_id
    assert again.poll() is None
    (one.folder / 'wait').unlink()
    run([one])
    assert one.results == {'a': 1}
    assert jobs_of(slurm) == ['1']


def test_a_job_with_other_tests_is_repeated(slurm, tmp_path):
    from mmdsr.experiments.slurm import Submitter

    one = make(tmp_path, 'one', 'wait')
    Submitter(('time=5',)).start(one.folder)
    log = one.folder / 'log.txt'
    deadline = time.monotonic() + 60
    while not log.is_file() or 'threads' not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    one.tests = {'b': {}}
    write_json(one.folder / 'task.json', one.task)
    (one.folder / 'wait').unlink()
    run([one])
    assert one.results == {'b': 1}


def test_a_refused_job_waits_for_the_others(slurm, tmp_path):
    (slurm / 'limit').write_text('1')
    one, two = make(tmp_path, 'one', 'wait'), make(tmp_path, 'two')
    said = []

    def report(run):
        # Room for the second one.
        (slurm / 'limit').unlink(missing_ok=True)
        return ''

    class Listener(Console):
        def print(self, *args, **options):
            said.extend(args)
            (one.folder / 'wait').unlink(missing_ok=True)

    options = RunOptions(jobs=2, slurm=('time=5',))
    run_all([one, two], options, Listener(quiet=True), report, 0.05)
    assert 'QOSMaxSubmit' in said[0]
    assert said[0].endswith('Waiting for the other jobs.')
    assert one.results == two.results == {'a': 1}
    assert jobs_of(slurm) == ['1', '2']


def test_a_job_that_is_preempted_is_queued_again(slurm, tmp_path, monkeypatch):
    from mmdsr.experiments.slurm import Submitter

    one = make(tmp_path, 'one', 'wait')
    job = Submitter(('time=600',)).start(one.folder)
    log = one.folder / 'log.txt'

    def wait_for(starts):
        deadline = time.monotonic() + 60
        while not log.is_file() or log.read_text().count('threads') < starts:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    wait_for(1)
    job.job._interrupt(timeout=True)
    wait_for(2)
    find = Submitter.start

    def find_and_finish(self, folder):
        # Not before: a job that has ended is not waited for.
        found = find(self, folder)
        (one.folder / 'wait').unlink()
        return found

    monkeypatch.setattr(Submitter, 'start', find_and_finish)
    run([one])
    assert one.results == {'a': 1}
    assert jobs_of(slurm) == ['1']


@pytest.mark.slow
def test_a_canceled_job_fails_with_its_number(slurm, tmp_path):
    from mmdsr.experiments.slurm import Submitter

    one = make(tmp_path, 'one', 'wait')
    job = Submitter(('time=5',)).start(one.folder)
    job.terminate()
    deadline = time.monotonic() + 60
    while job.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert job.poll() == 1
    assert f'Job {job.job.job_id}' in (one.folder / 'log.txt').read_text()
    # The next start submits it anew.
    (one.folder / 'wait').unlink()
    run([one])
    assert one.results == {'a': 1}
    assert jobs_of(slurm) == ['1', '2']


def test_wrong_parameters_take_one_line(slurm, tmp_path, monkeypatch):
    one = make(tmp_path, 'one')
    with pytest.raises(UsageError, match=r'^--slurm: .*partitoin') as caught:
        run([one], 'partitoin=gpu')
    assert '\n' not in str(caught.value)
    monkeypatch.setenv('PATH', '/usr/bin')
    with pytest.raises(UsageError, match='srun'):
        run([one])
    with pytest.raises(ValueError, match="'gpu' is not KEY=VALUE"):
        RunOptions(slurm=('gpu',))
    assert one.results is None
