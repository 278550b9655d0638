"""s2d train: exit codes, one line for a mistake, one JSON object, where the run is kept."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from s2d.cli import main
from s2d.cli.train import verdict
from s2d.errors import S2DError
from s2d.training import packaged_configs
from s2d.training import run as training_run
from s2d.training.checkpoints import FOLDER, LAST
from s2d.training.run import HELD_OUT, OTHER_FRAMES, PERHAPS, OptionError, Run

RESULT = {
    "checkpoint": "c", "weights": "w", "steps": 5, "val_l1_start": 0.04, "val_l1": 0.03, "val_l1_prior": 0.04,
    "val_l1_copy": 0.06, "val_perceptual": 0.2, "val_perceptual_prior": 0.3, "validation": "1 of 3", "seconds": 9.0,
    "validated_on": HELD_OUT, "held_out": ["ann", "bob"],
}  # fmt: skip

WON = "On held-out identities the animator beats the prior and the source as it is."
LOST = "train longer (--resume, a larger --trainer.max_steps) or on more people"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Sequence[str], str | Path, Run]]:
    """Calls of `train`, which trains nothing here; the working folder is empty."""
    calls: list[tuple[Sequence[str], str | Path, Run]] = []

    def train(options: Sequence[str], config: str | Path, run: Run) -> Mapping[str, Any]:
        calls.append((list(options), config, run))
        if run.announce:
            run.announce(": ".join(filter(None, [f"training into {run.out}", run.why])))
        return RESULT

    monkeypatch.setattr(training_run, "train", train)
    monkeypatch.chdir(tmp_path)
    return calls


def test_shorthands_and_options_passed_on(asked: list[tuple[Sequence[str], str | Path, Run]]):
    options = ["--trainer.max_steps", "300", "--model.lr=1e-4"]
    assert main(["train", "--data", "D", *options, "--out", "runs/x", "--logger", "wandb"]) == 0
    assert asked == [(["--data.path=D", *options], "tiny", Run(Path("runs/x"), "wandb"))]


def test_several_data_sets_and_weights_to_begin_with(asked: list[tuple[Sequence[str], str | Path, Run]]):
    assert main(["train", "--data", "A", "B c", "--init_from", "w.safetensors", "--data.weights", "[3, 1]"]) == 0
    assert asked[0][0] == ['--data.path=["A", "B c"]', "--init_from=w.safetensors", "--data.weights", "[3, 1]"]


def test_the_help_names_the_packaged_configurations(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    assert stop.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"packaged configuration, of {', '.join(packaged_configs())}, or a YAML file (default: tiny)" in shown


def test_the_folder_is_named_after_the_configuration(asked: list[tuple[Sequence[str], str | Path, Run]]):
    assert main(["train", "--data", "D", "--config", "some/own.yaml"]) == 0
    assert asked[0][1:] == ("some/own.yaml", Run(Path("runs/own")))


def test_a_second_run_gets_a_folder_of_its_own(asked: list[tuple[Sequence[str], str | Path, Run]]):
    Path("runs/tiny").mkdir(parents=True)
    assert main(["train", "--data", "D"]) == 0
    assert asked[0][2].out == Path("runs/tiny-2")


def test_resume_takes_the_run_s_own_configuration(asked: list[tuple[Sequence[str], str | Path, Run]]):
    Path("runs/a").mkdir(parents=True)
    Path("runs/a/config.yaml").touch()
    assert main(["train", "--resume", "--out", "runs/a"]) == 0
    own, last = Path("runs/a/config.yaml"), Path("runs/a/checkpoints/last.ckpt")
    assert asked[0] == ([], own, Run(Path("runs/a"), "csv", last))


def test_resume_from_a_file_into_a_new_folder(asked: list[tuple[Sequence[str], str | Path, Run]]):
    assert main(["train", "--data", "D", "--config", "tiny", "--resume", "x.ckpt", "--out", "runs/b"]) == 0
    assert asked[0][1:] == ("tiny", Run(Path("runs/b"), "csv", Path("x.ckpt")))


def test_trying_out(asked: list[tuple[Sequence[str], str | Path, Run]]):
    assert main(["train", "--data", "D", "--fast_dev_run"]) == 0
    assert asked[0][0] == ["--data.path=D", "--trainer.fast_dev_run=true"]


def test_json_is_exactly_one_object(asked: list[Any], capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--data", "D", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"out": "runs/tiny", **RESULT, "verdict": WON}


def test_the_table_says_by_how_much_it_fell(asked: list[Any], capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--data", "D"]) == 0
    shown = capsys.readouterr().out
    assert "1 of 3" in shown
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    assert rows == [
        ["source as it is", "0.06", "0.03", "-50.0 %"],
        ["prior, untrained", "0.04", "0.03", "-25.0 %"],
        ["this run's start", "0.04", "0.03", "-25.0 %"],
    ]
    assert all(name in shown for name in ("compared with", "before training", "now", "change"))


def test_figures_that_are_not_known_are_dashes(asked: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setattr(training_run, "train", lambda *_: {**RESULT, "val_l1": math.nan, "val_l1_start": None})
    assert main(["train", "--data", "D", "--trainer.max_steps", "0"]) == 0
    shown = capsys.readouterr().out
    assert "nan" not in shown
    assert "prior, untrained" in shown


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({}, WON),
        ({"validated_on": OTHER_FRAMES}, "On people it knows, in frames it does not, the animator beats the prior"),
        ({"validated_on": PERHAPS}, "On people it may know the animator beats the prior"),
        ({"val_l1": 0.04}, f"does not beat the prior: {LOST}; until then animate without --checkpoint"),
        ({"val_l1": 0.03999}, "does not beat the prior: "),
        ({"val_l1": 0.03997}, "is 0.1% better than the prior, which may be chance"),
        ({"val_l1": 0.03921}, "is 2.0% better than the prior, which may be chance"),
        ({"val_l1": 0.03919}, "beats the prior"),
        ({"val_l1": 0.0393, "val_l1_copy": 0.0395}, "is 0.5% better than the source as it is, which may be chance"),
        ({"val_l1": 0.03976}, f"is 0.6% better than the prior, which may be chance: {LOST}."),
        ({"val_l1": 0.0391}, "beats the prior"),
        ({"val_l1": 0.0396, "val_l1_copy": 0.039}, "does not beat the source as it is: "),
        ({"held_out": ["ann"]}, "On one held-out identity (ann) the animator beats the prior"),
        ({"val_l1": 0.05, "val_l1_prior": 0.07, "val_l1_copy": 0.04}, f"does not beat the source as it is: {LOST}."),
        ({"val_l1": 0.09}, "does not beat the prior nor the source as it is: "),
    ],
)
def test_the_last_word_is_whether_training_was_worth_it(figures: dict[str, Any], said: str):
    told = verdict({**RESULT, **figures})
    assert told is not None
    assert said in told


def test_weights_that_were_never_better_than_at_the_start_are_called_that(
    asked: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    best = {"best_step": 3, "best_val_l1": 0.041, "best_weights": "b.safetensors"}
    monkeypatch.setattr(training_run, "train", lambda *_: {**RESULT, "val_l1": 0.042, **best})
    assert main(["train", "--data", "D"]) == 0
    told = "no validation was better than before training (0.0400); b.safetensors holds the best after it (0.0410)"
    assert told in capsys.readouterr().out
    monkeypatch.setattr(training_run, "train", lambda *_: {**RESULT, **best, "best_val_l1": 0.028})
    assert main(["train", "--data", "D"]) == 0
    shown = capsys.readouterr().out
    assert "no validation was better" not in shown
    assert "best validation L1 0.0280 at step 3: b.safetensors" in shown


def test_the_verdict_stands_below_the_table(asked: list[Any], capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--data", "D"]) == 0
    assert WON in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("figures", [{"val_l1": math.nan}, {"weights": None}])
def test_no_verdict_on_what_was_not_validated_or_kept(figures: dict[str, Any]):
    assert verdict({**RESULT, **figures}) is None


def test_it_says_at_the_start_and_at_the_end_where_it_trains(asked: list[Any], capsys: pytest.CaptureFixture[str]):
    Path("runs/tiny").mkdir(parents=True)
    Path("runs/tiny/config.yaml").touch()
    assert main(["train", "--data", "D"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ("training into runs/tiny-2: runs/tiny holds another run (--out chooses, --resume goes on)\n")
    assert "after 5 steps, runs/tiny-2" in shown.out


def test_it_does_not_say_so_when_told_to_be_quiet(asked: list[Any], capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--data", "D", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("option", ["--print_config", "--print_config=skip_null"])
def test_the_configuration_is_yaml_not_json(asked: list[Any], capsys: pytest.CaptureFixture[str], option: str):
    assert main(["train", "--data", "D", option, "--json"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n"), asked) == ("", 1, [])
    assert "leave out --json" in shown.err


def fail(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def train(*_: object) -> None:
        raise error

    monkeypatch.setattr(training_run, "train", train)


def test_wrong_options_are_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    fail(monkeypatch, OptionError("unrecognized arguments: --trainer.max_stepz"))
    with pytest.raises(SystemExit) as stop:
        main(["train", "--data", "D", "--trainer.max_stepz", "3", "--out", str(tmp_path)])
    assert stop.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith("s2d train: wrong usage: unrecognized arguments: --trainer.max_stepz; ")
    assert shown.count("\n") == 1


def test_mistakes_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    fail(monkeypatch, S2DError("cannot train on D", "it is empty", "curate first"))
    assert main(["train", "--data", "D", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "s2d train: cannot train on D: it is empty; curate first\n"


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    fail(monkeypatch, KeyboardInterrupt())  # type: ignore[arg-type]
    assert main(["train", "--data", "D", "--out", str(tmp_path)]) == 1
    assert "go on with --resume" in capsys.readouterr().err


def test_resume_of_an_unnamed_run(asked: list[Any], capsys: pytest.CaptureFixture[str]):
    for name in ("tiny", "tiny-2"):
        last = Path("runs", name, FOLDER, LAST)
        last.parent.mkdir(parents=True)
        last.touch()
    Path("runs/empty").mkdir()
    assert main(["train", "--data", "D", "--resume"]) == 2
    assert capsys.readouterr().err.endswith("give its folder as --out; there are runs/tiny, runs/tiny-2\n")
    assert asked == []


def test_what_cannot_be_meant_is_refused_before_anything_heavy_is_imported():
    script = "import sys\nfrom s2d.cli import main\nsys.exit(main(['train', '--resume']) + ('torch' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_other_commands_still_refuse_what_they_do_not_know():
    with pytest.raises(SystemExit) as stop:
        main(["inspect", "x", "--trainer.max_steps", "3"])
    assert stop.value.code == 2


@pytest.mark.parametrize("option", ["--dat", "--trainer.max_step=3"])
def test_options_are_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["train", "--data", "D", option])
    assert ended.value.code == 2
    assert option.split("=")[0] in capsys.readouterr().err
