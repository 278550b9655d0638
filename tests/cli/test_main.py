"""The command line as a whole: help, exit codes, and one line for what a user can put right."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from s2d import cli
from s2d.errors import S2DError


@pytest.fixture
def command(monkeypatch):
    """A command `sample` that does what the test says."""

    def install(run) -> None:
        module = types.ModuleType("s2d.cli.sample", "A sample.")
        module.add_arguments = lambda parser: parser.add_argument("--out")
        module.run = run
        monkeypatch.setitem(sys.modules, "s2d.cli.sample", module)
        monkeypatch.setitem(cli.COMMANDS, "sample", "a sample")

    return install


def raising(error: BaseException):
    def run(args) -> None:
        raise error

    return run


def test_done_is_0(command):
    command(lambda args: None)
    assert cli.main(["sample", "--out", "x"]) == 0


def test_what_a_user_can_put_right_is_one_line_and_1(command, capsys):
    command(raising(S2DError("cannot read a.mp4", "no such\nfile", "check the path")))
    assert cli.main(["sample"]) == 1
    assert capsys.readouterr().err == "s2d sample: cannot read a.mp4: no such file; check the path\n"


def test_missing_system_library_is_one_line_that_says_what_to_install(command, capsys):
    command(raising(ImportError("libGL.so.1: cannot open shared object file: No such file or directory")))
    assert cli.main(["sample"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("s2d: cannot load libGL.so.1: ")
    assert "apt-get install libgl1" in err
    assert "opencv-python-headless" in err
    assert err.count("\n") == 1


def test_fault_of_the_program_is_not_hidden(command):
    command(raising(ModuleNotFoundError("No module named 'fault'")))
    with pytest.raises(ModuleNotFoundError):
        cli.main(["sample"])


def test_interruption_is_130(command):
    command(raising(KeyboardInterrupt()))
    assert cli.main(["sample"]) == 130


@pytest.mark.parametrize("arguments", [["nonsense"], ["sample", "--nonsense"]])
def test_wrong_usage_is_2(command, capsys, arguments):
    command(lambda args: None)
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


def test_no_command_shows_all_of_them_and_is_2(capsys):
    assert cli.main([]) == 2
    out = capsys.readouterr().out
    assert all(name in out for name in cli.COMMANDS)


def test_help_imports_no_command_and_nothing_heavy():
    script = (
        "import sys\nfrom s2d.cli import main\nmain([])\n"
        "heavy = {'torch', 'cv2', 'pandas', 'matplotlib', 'numpy'} & set(sys.modules)\nsys.exit(len(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
