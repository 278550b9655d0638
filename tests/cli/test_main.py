"""The command line as a whole: help, exit codes, and one line for what a user can put right."""

from __future__ import annotations

import signal
import subprocess
import sys
import types

import pytest

from s2d import cli
from s2d.errors import S2DError, UsageError


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


def test_a_value_that_is_wrong_by_itself_is_one_line_and_2(command, capsys):
    command(raising(UsageError("size 0", "it does not suit a video", "give 64")))
    assert cli.main(["sample"]) == 2
    assert capsys.readouterr().err == "s2d sample: size 0: it does not suit a video; give 64\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("curate x --out y", "s2d curate: stopped; give the same command again to go on\n"),
        ("train", "s2d train: stopped; from its last checkpoint, go on with --resume and its folder as --out\n"),
        ("inspect x", "s2d inspect: stopped\n"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_kill_are_1_and_say_how_to_go_on(arguments, line, number):
    script = (
        # a shell lets what it starts in the background ignore Ctrl-C, and this may be such a run
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"import sys, time\nimport s2d.cli, s2d.cli.{arguments.split()[0]} as command\n"
        "command.run = lambda args: print('at work', flush=True) or time.sleep(60)\nsys.exit(s2d.cli.main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "at work\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (1, line)


@pytest.mark.parametrize(
    "arguments", ["curate IN --out OUT", "jitter IN", "animate --source IN --driving IN --out a.mp4"]
)
def test_an_unknown_detector_is_2_in_every_command(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "IN").touch()
    assert cli.main([*arguments.split(), "--detector", "foo"]) == 2
    assert capsys.readouterr().err.endswith("there is no such detector; choose one of mesh, fan, dlib\n")
    assert [path.name for path in tmp_path.iterdir()] == ["IN"]


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


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["report", "DATA", "--out", "r.html", "--jsno"],
            "s2d report: wrong usage: unrecognized arguments: --jsno (--jsno: did you mean --json?); ",
        ),
        (
            ["report", "DATA", "--out", "r.html", "--qiet=1"],
            "unrecognized arguments: --qiet=1 (--qiet: did you mean --quiet?); ",
        ),
        (["report", "DATA", "--out", "r.html", "more"], "unrecognized arguments: more; "),
        (
            ["animate", "--sorce", "a.jpg", "--driving", "b.mp4", "--out", "c.mp4"],
            "arguments are required: --source (--sorce: did you mean --source?); ",
        ),
        (["animate", "--source", "a.jpg", "--out", "c.mp4"], "are required: --driving; "),
        (["train", "--data.size", "64"], "arguments are required: data.path; "),
        (["live", "--source", "a.jpg", "--fps", "9"], "unrecognized arguments: --fps 9; "),
        (["animat", "--source", "a.jpg"], " (animat: did you mean animate?); "),
        (
            ["animate", "a.jpg", "b.csv", "--out", "c.mp4"],
            "--source, --driving (not understood: a.jpg b.csv; did you mean --source a.jpg --driving b.csv?); ",
        ),
        (
            ["animate", "--source", "a.jpg", "b.csv", "--out", "c.mp4"],
            "required: --driving (not understood: b.csv; did you mean --driving b.csv?); ",
        ),
        (
            ["animate", "--sorce", "a.jpg", "b.csv", "--out", "c.mp4"],
            "required: --source, --driving (--sorce: did you mean --source?); ",
        ),
        (["animate", "a.jpg", "--face", "0"], "argument --face: 0 is not a whole number, 1 or more; "),
        (["--versoin"], "s2d: wrong usage: unrecognized arguments: --versoin (--versoin: did you mean --version?); "),
    ],
)
def test_words_that_are_not_understood_are_told_with_what_was_perhaps_meant(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
):
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
