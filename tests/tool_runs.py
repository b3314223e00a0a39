"""Running the tools as a user does, or in this process."""

import io
import os
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).parents[1]
_END = '-- end of a piece --'


def environment():
    """Environment of a tool: our package, one thread, no GPU."""
    path = os.pathsep.join(
        filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])
    )
    # One thread each, as several processes share the machine.
    return {
        **os.environ,
        'PYTHONPATH': path,
        'PYTHON': sys.executable,
        'OMP_NUM_THREADS': '1',
        'CUDA_VISIBLE_DEVICES': '',
    }


def command(tool, *args):
    """Command line of a tool in tools/."""
    line = [str(ROOT / 'tools' / tool), *map(str, args)]
    return [sys.executable, *line] if tool.endswith('.py') else line


def run(tool, *args, check=True, timeout=600):
    """Run a tool and return what it printed.

    Args:
        tool (str): Name in tools/.
        *args: Its arguments.
        check (bool): Whether it has to succeed.
        timeout (float): Seconds.
    """
    done = subprocess.run(
        command(tool, *args),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def run_each(common, codes, timeout=300):
    """Run pieces of code in a new interpreter, but none sees the others.

    Args:
        common (str): What all need; it is run once, before they part.
        codes (Iterable[str]): The pieces; each has to succeed.
        timeout (float): Seconds for all.

    Returns:
        list[str]: What each printed.
    """
    script = (
        'import os, sys, traceback\n'
        'common, *codes = sys.argv[1:]\n'
        'scope = {"__name__": "__main__"}\n'
        'exec(common, scope)\n'
        'for code in codes:\n'
        '    child = os.fork()\n'
        '    if not child:\n'
        '        try:\n'
        '            exec(code, scope)\n'
        '            failed = False\n'
        '        except BaseException:\n'
        '            traceback.print_exc()\n'
        '            failed = True\n'
        '        sys.stdout.flush()\n'
        '        sys.stderr.flush()\n'
        '        os._exit(failed)\n'
        '    if os.waitpid(child, 0)[1]:\n'
        '        sys.exit(f"This failed:\\n{code}")\n'
        f'    print({_END!r}, flush=True)\n'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', script, common, *codes],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [text.strip() for text in done.stdout.split(_END)[:-1]]


def call(tool, *args, cwd=None):
    """Run a tool in this process, as quickly as a function.

    For what a process of its own would not tell: arguments, messages, files.

    Args:
        tool (str): Name in tools/.
        *args: Its arguments.
        cwd (Path, optional): Working directory. Defaults to the repository.

    Returns:
        CompletedProcess: Exit code and what was printed, as of :func:`run`.
    """
    out, err = io.StringIO(), io.StringIO()
    main = runpy.run_path(str(ROOT / 'tools' / tool))['main']
    previous = Path.cwd()
    os.chdir(cwd or ROOT)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main([str(word) for word in args])
    except SystemExit as stopped:
        code = stopped.code
    finally:
        os.chdir(previous)
    return subprocess.CompletedProcess(
        [tool, *args], code or 0, out.getvalue(), err.getvalue()
    )
