"""get_flops.py and benchmark.py, as a user runs them."""

import pytest
from tool_runs import call

FLOPS = 'analysis_tools/get_flops.py'
BENCHMARK = 'analysis_tools/benchmark.py'
RECORDING = 'analysis_tools/benchmark_recording.py'
DEPTH = 'analysis_tools/eval_depth.py'
RCAN = 'configs/baselines/rcan_quick.py'


def test_get_flops_prints_table_2_for_the_released_teacher():
    done = call(FLOPS, 'configs/dsrnet/released_teacher.py')
    assert done.returncode == 0, done.stderr
    assert '379.753' in done.stdout
    assert '5,062,851' in done.stdout
    for part in ('encoder', 'dmm.fusion', 'dmm.drimm', 'decoder'):
        assert part in done.stdout


def test_get_flops_one_convention_and_shape():
    done = call(
        FLOPS,
        'configs/dsrnet/student.py',
        *('--shape', '80', '112', '--convention', 'macs'),
    )
    assert done.returncode == 0, done.stderr
    assert '5,306,484' in done.stdout
    assert 'masa convention' not in done.stdout


@pytest.mark.slow
def test_benchmark_times_parts_matching_and_training():
    done = call(
        BENCHMARK,
        'configs/dsrnet/teacher_quick.py',
        *('--shape', '16', '32', '--repeats', '1', '--train', '--matching'),
        *('--threads', '1', '--amp', 'bf16'),
    )
    assert done.returncode == 0, done.stderr
    for word in ('match', 'decoder', 'peak memory', 'training step', 'bf16'):
        assert word in done.stdout


def test_matching_is_measured_where_there_is_some():
    done = call(
        BENCHMARK,
        RCAN,
        *('--shape', '16', '16', '--repeats', '1', '--matching'),
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert 'RCAN has no DRIMM' in line
    assert 'leave out --matching' in line


@pytest.mark.parametrize(
    ('tool', 'args', 'option', 'value'),
    [
        (BENCHMARK, [RCAN], '--threads', '0'),
        (BENCHMARK, [RCAN], '--threads', '-1'),
        (BENCHMARK, [RCAN], '--repeats', '0'),
        (RECORDING, ['no.mp4'], '--threads', '0'),
        (RECORDING, ['no.mp4'], '--threads', '-1'),
        (RECORDING, ['no.mp4'], '--repeats', '0'),
        (DEPTH, ['--data', 'no'], '--max-samples', '0'),
        (DEPTH, ['--data', 'no'], '--max-samples', '-1'),
        (DEPTH, ['--sim', '0'], '--runs', '0'),
    ],
)
def test_numbers_that_must_be_positive(tool, args, option, value):
    done = call(tool, *args, option, value)
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    message = f"{option}: '{value}' is not a whole number of at least 1"
    assert message in line


@pytest.mark.parametrize('tool', [FLOPS, BENCHMARK])
def test_wrong_arguments(tool):
    missing = call(tool, 'configs/none.py')
    assert missing.returncode == 2
    assert 'config configs/none.py does not exist' in missing.stderr
    assert 'Traceback' not in missing.stderr
    wrong = call(tool, 'configs/dsrnet/student.py', '--shape', '8')
    assert wrong.returncode == 2
    assert 'Traceback' not in wrong.stderr


@pytest.mark.parametrize(
    ('options', 'named'),
    [
        (['--shape', '80', '112'], '--shape'),
        (['--device', 'cpu'], '--device'),
        (['--train', '--matching'], '--train, --matching'),
        (['--amp', 'bf16', '--compile'], '--amp, --compile'),
        (['--cfg-options', 'a=1'], '--cfg-options'),
    ],
)
def test_options_of_a_config_are_refused_with_backends(options, named):
    done = call(BENCHMARK, '--backends', 'none', *options)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()[-1:]
    assert f'error: {named} would have no effect with --backends' in line
    assert f'leave out {named}, or give a config' in line
