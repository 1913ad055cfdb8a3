"""Studies from their words to their table, with runs of no time."""

import csv
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ae_cls.cli.complete import candidates
from ae_cls.cli.main import COMMANDS
from ae_cls.experiment import configs
from ae_cls.jobs import commands, process
from ae_cls.jobs.record import SweepFolder
from ae_cls.study import plan, study
from ae_cls.study.arms import arms_of
from ae_cls.study.facts import Facts
from ae_cls.study.request import own_arms, words_for_study
from ae_cls.study.settings import StudySettings
from ae_cls.words.compose import compose
from tests.cli.conftest import AeCls, with_hydra
from tests.composed import options
from tests.jobs.conftest import forked
from tests.jobs.fake_runs import Started

pytestmark = [with_hydra, forked]

SMALL = (
    "autoencoder.widths=[8,8]", "autoencoder.latent_dim=4", "pretrain=quick", "pretrain.epochs=1",
    "threads=1", "study.budgets=[2,all]", "study.draws=2",
)  # fmt: skip
TWO = ("study.arms=[pretrained,pixels]",)


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of no time leave nothing that could be compared."""
    monkeypatch.setattr(study, "_print_verdict", lambda plan: None)


def folder_of(place: Path) -> Path:
    (folder,) = (place / "outputs" / "run").glob("study-*")
    return folder


def jobs(place: Path) -> list[dict[str, Any]]:
    return json.loads((folder_of(place) / "sweep.json").read_text())["jobs"]


def configs_of(place: Path) -> list[dict[str, Any]]:
    """Of the runs, in their order."""
    return [json.loads((Path(job["folder"]) / "config.json").read_text()) for job in jobs(place)]


def said(place: Path) -> dict[str, Any]:
    return json.loads((folder_of(place) / "study.json").read_text())


def results(place: Path) -> bytes:
    return (folder_of(place) / "results.csv").read_bytes()


def test_a_study_runs_every_arm_on_every_budget_and_draw(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    outcome = ae_cls("study", *SMALL, *TWO)
    assert outcome.code == 0
    assert [" ".join(job["words"]) for job in jobs(tmp_path)] == [
        "arm=pretrained labels.per_class=2 labels.draw=0 seed=0 split.seed=0",
        "arm=pixels labels.per_class=2 labels.draw=0 seed=0 split.seed=0",
        "arm=pretrained labels.per_class=2 labels.draw=1 seed=0 split.seed=0",
        "arm=pixels labels.per_class=2 labels.draw=1 seed=0 split.seed=0",
        "arm=pretrained seed=0 split.seed=0",
        "arm=pixels seed=0 split.seed=0",
    ]
    assert "6 runs; 1 pretraining" in outcome.err
    assert "your words as they are, the encoder frozen" in outcome.err
    rows = list(csv.DictReader(results(tmp_path).decode().splitlines()))
    assert [row["arm"] for row in rows] == ["pretrained", "pixels"] * 3
    assert {row["test_accuracy"] for row in rows} == {"0.5"}


def test_what_takes_long_has_a_process_of_its_own(
    ae_cls: AeCls, known_facts: None, started: Started, tmp_path: Path
) -> None:
    assert ae_cls("study", *SMALL, *TWO, "study.budgets=[2,all]").code == 0
    pretrains, *few_labels, network, pixels = owners(tmp_path)
    assert len(set(few_labels)) == 1  # three runs
    assert len({pretrains, *few_labels, network, pixels}) == 4


def owners(place: Path) -> list[int]:
    """The process of each run, in the order of the runs."""
    records = [SweepFolder(folder_of(place)).record(job["name"]) for job in jobs(place)]
    return [record.owner.process for record in records if record.owner]


def test_explain_says_the_same_and_runs_nothing(
    ae_cls: AeCls, known_facts: None, started: Started, tmp_path: Path
) -> None:
    outcome = ae_cls("study", *SMALL, *TWO, "--explain")
    assert outcome.code == 0
    assert "6 runs; 1 pretraining" in outcome.err
    assert not started.seeds() and not list(tmp_path.iterdir())


def test_more_draws_add_to_a_study(
    ae_cls: AeCls, known_facts: None, started: Started, tmp_path: Path
) -> None:
    ae_cls("study", *SMALL, *TWO)
    assert len(started.seeds()) == 6
    outcome = ae_cls("study", *SMALL, *TWO, "study.draws=3", "study.minutes=50")
    assert outcome.code == 0
    assert "8 runs, 6 of them finished before" in outcome.err
    assert len(started.seeds()) == 2
    assert len(jobs(tmp_path)) == 8


def test_no_run_begins_once_the_time_is_over_and_the_same_command_does_what_is_missing(
    ae_cls: AeCls,
    known_facts: None,
    started: Started,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(study, "_end_of", lambda minutes: time.monotonic())
        outcome = ae_cls("study", *SMALL, *TWO)
    # The process that had begun ends with the run that it was at.
    assert outcome.code == 8 and len(started.seeds()) == 1
    assert "time is up: no further job begins" in outcome.err
    assert "5 runs were not begun in time; the same command does what is missing" in outcome.err
    assert ae_cls("study", *SMALL, *TWO).code == 0
    assert len(started.seeds()) == 5


def test_a_study_that_has_finished_writes_the_same_bytes_again(
    ae_cls: AeCls, known_facts: None, started: Started, tmp_path: Path
) -> None:
    ae_cls("study", *SMALL, *TWO)
    before = results(tmp_path)
    started.seeds()
    ae_cls("study", *SMALL, *TWO)
    assert not started.seeds()
    assert results(tmp_path) == before


def test_what_was_left_out_is_left_out_again_whatever_the_speed_now(
    ae_cls: AeCls,
    known_facts: None,
    started: Started,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "seconds_of", lambda cells, facts, measured: 10.0 * len(cells))
    words = (*SMALL, *TWO, "study.budgets=[2,5,10]", "study.minutes=1.5")
    assert "left out, for want of time: 10 a class" in ae_cls("study", *words).err
    monkeypatch.setattr(plan, "seconds_of", lambda cells, facts, measured: 0.1 * len(cells))
    assert "left out, for want of time: 10 a class" in ae_cls("study", *words).err
    assert said(tmp_path)["budgets"] == ["2 a class", "5 a class"]


def test_arms_that_do_not_go_with_the_words_are_left_out_and_named(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    outcome = ae_cls("study", "autoencoder=pca", "encode=latent", *SMALL[2:])
    assert outcome.code == 0
    impossible = said(tmp_path)["impossible"]
    assert {"finetuned", "scratch", "scratch_long"} <= impossible.keys()
    assert "no weights to train" in impossible["finetuned"]
    assert impossible["pca"] == "the same as pretrained"
    assert "finetuned      not here:" in outcome.err


def test_an_arm_that_was_asked_for_and_is_impossible_is_refused(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    outcome = ae_cls("study", "autoencoder=pca", "study.arms=[pretrained,finetuned]")
    assert outcome.code == 2 and "the arm finetuned cannot be carried out" in outcome.err
    assert not list(tmp_path.iterdir())


def test_any_words_are_an_arm(
    ae_cls: AeCls, known_facts: None, started: Started, tmp_path: Path
) -> None:
    outcome = ae_cls("study", *SMALL, *TWO, "arm.mine=autoencoder=hog encode=latent head=knn")
    assert outcome.code == 0
    mine = [job for job in jobs(tmp_path) if job["words"][0] == "arm=mine"]
    assert len(mine) == 3
    config = json.loads((Path(mine[0]["folder"]) / "config.json").read_text())
    assert (config["autoencoder"]["name"], config["head"]["name"]) == ("hog", "knn")
    assert said(tmp_path)["arms"]["mine"]["words"][0] == "autoencoder=hog"


def test_small_data_without_a_test_part_are_divided_into_folds(
    ae_cls: AeCls,
    known_facts: None,
    started: Started,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "SMALL", 10_000)
    outcome = ae_cls("study", *SMALL, *TWO, "study.repeats=2", "study.budgets=[all]")
    assert "2 x 5 folds" in outcome.err and "20 runs; 10 pretrainings" in outcome.err
    configs = configs_of(tmp_path)
    splits = {(config["split"]["seed"], config["split"]["fold"]) for config in configs}
    assert splits == {(repeat, fold) for repeat in (0, 1) for fold in range(5)}
    assert {config["split"]["folds"] for config in configs} == {5}


def test_all_folds_share_a_pretraining_where_it_sees_no_labelled_image(
    ae_cls: AeCls,
    known_facts: None,
    started: Started,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "SMALL", 10_000)
    known = plan.look
    monkeypatch.setattr(
        plan, "look", lambda *given: replace(known(*given), shares_pretraining=True)
    )
    outcome = ae_cls("study", *SMALL, *TWO, "study.repeats=2", "study.budgets=[all]")
    assert "20 runs; 1 pretraining\n" in outcome.err
    assert "all pretraining is on the 1,294 images that have no label, once for all" in outcome.err
    configs = configs_of(tmp_path)
    assert {config["split"]["pretrain_on"] for config in configs} == {"unlabelled"}


def test_every_network_pretrains_for_the_same_time_also_when_the_study_goes_on(
    ae_cls: AeCls,
    known_facts: None,
    started: Started,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ("study", *SMALL, "study.arms=[pretrained,finetuned,hog]", "study.pretrain_minutes=2")
    known = plan.look

    def look(seconds: float) -> Any:
        def looked(*given: Any) -> Facts:
            facts = known(*given)
            arms = {
                name: replace(arm, pretrain_seconds=seconds) for name, arm in facts.arms.items()
            }
            return replace(facts, arms=arms)

        return looked

    monkeypatch.setattr(plan, "look", look(120 / 1294 / 7))
    outcome = ae_cls(*words)
    assert "about 2 minutes: pretrained 7, finetuned 7 epochs" in outcome.err
    # On a machine that seems faster now, more draws are of the same networks.
    monkeypatch.setattr(plan, "look", look(120 / 1294 / 9))
    ae_cls(*words, "study.draws=3")
    configs = configs_of(tmp_path)
    epochs = {
        (config["autoencoder"]["name"], config["pretrain"].get("epochs")) for config in configs
    }
    assert epochs == {("conv", 7), ("hog", None)}


def test_each_autoencoder_is_fine_tuned_too_where_that_is_asked_for(
    ae_cls: AeCls, known_facts: None, started: Started, tmp_path: Path
) -> None:
    words = ("study=variants", "study.budgets=[2,all]", "study.finetune_at=[2]", "study.draws=1")
    outcome = ae_cls("study", *words, "pretrain=quick", "threads=1", "study.minutes=null")
    assert outcome.code == 0
    configs = configs_of(tmp_path)
    tuned = [config for config in configs if config["head"]["name"] == "finetune"]
    assert {config["labels"]["per_class"] for config in tuned} == {2}
    controls = {"hog", "kmeans", "lbp", "pca", "pixels"}
    assert {config["autoencoder"]["name"] for config in tuned} == {
        config["autoencoder"]["name"]
        for config in configs
        if config["autoencoder"]["name"] not in controls
    }
    frozen = [config for config in configs if config not in tuned]
    assert {config["labels"]["per_class"] for config in frozen} == {2, None}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["study=variants", "study.budgets=[2,all]", "study.finetune_at=[5]"], "2 a class, all"),
        (["study.finetune_at=[2]"], "study=variants"),
        (["labels.per_class=10"], "study.budgets=[10,100,all]"),
        (["test=false"], "a study sets test itself"),
        (["folder=here"], "study.folder=FOLDER"),
        (["study.arms=[pretrainde]"], "did you mean pretrained?"),
        (["study.budgets=[9999]"], "the rarest class has"),
        (["study.draws=0"], "study.draws"),
        (["study.drawss=2"], "did you mean study.draws?"),
        (["arm.mine=vae"], "arm.mine='autoencoder=vae head=svm'"),
        (["arm.hog=head=svm"], "the name of an arm of ae-cls"),
        (["arm.mine=head=svn"], "did you mean svm?"),
        (["seed=0,1"], "several values"),
        (["-m", "seed=0"], "a study has its own arms, budgets, draws and seeds"),
        (["study=verdit"], "did you mean verdict?"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_is_made(
    ae_cls: AeCls, known_facts: None, started: Started, tmp_path: Path, words: list[str], said: str
) -> None:
    outcome = ae_cls("study", *words)
    assert outcome.code in (2, 3)
    assert said in outcome.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [(["seed=-1"], "seed=-1"), (["dataset=folder", "dataset.root=nowhere"], "nowhere")],
)
def test_wrong_data_and_values_are_refused_before_anything_is_made(
    ae_cls: AeCls, started: Started, tmp_path: Path, words: list[str], said: str
) -> None:
    outcome = ae_cls("study", *TWO, *words)
    assert outcome.code in (2, 3)
    assert said in outcome.err
    assert not list(tmp_path.iterdir())


def test_own_arms_are_taken_from_the_words() -> None:
    assert own_arms(["seed=1", "arm.a=head=svm  seed=2"]) == (
        ("seed=1",), {"a": ("head=svm", "seed=2")},
    )  # fmt: skip


def test_the_hint_after_a_run_leaves_out_what_a_study_decides() -> None:
    assert words_for_study(["labels.per_class=10", "head=svm", "folder=x"]) == ["head=svm"]


def test_a_run_ends_with_the_study_that_would_answer(
    ae_cls: AeCls, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "print_result", lambda command, result: 0)
    outcome = ae_cls("run", "head=svm", "labels.per_class=5", "head.C=[1, 10]")
    assert outcome.code == 0
    hint = "one run; whether pretraining helped: ae-cls study head=svm 'head.C=[1, 10]'"
    assert outcome.err.splitlines()[-1] == hint


def test_the_comments_behind_keys_say_what_the_descriptions_say() -> None:
    fields = StudySettings.model_fields.items()
    described = {f"study.{name}": field.description for name, field in fields}
    shown = {key.name: key.meaning for key in configs.keys_of("study")}
    assert not [name for name in shown if name.startswith("#")]  # an example is no key
    own = {name: meaning for name, meaning in shown.items() if name.startswith("study.")}
    assert own == {name: described[name] for name in own}
    assert described.keys() - own.keys() == {"study.arms", "study.each"}  # of the option


@pytest.mark.parametrize("option", options("study"))
def test_every_preset_composes(option: str) -> None:
    settings = StudySettings.model_validate_json(
        json.dumps(compose("study", [f"study={option}"])["study"])
    )
    arms = arms_of(settings, {}, (), chosen=False)
    assert len(arms) > 4
    assert all(arm.meaning for arm in arms)


def test_completion_offers_the_keys_and_presets_of_a_study() -> None:
    assert "study.draws=" in candidates("ae-cls study arm.mine=head=svm study.", COMMANDS)
    assert candidates("ae-cls study study=v", COMMANDS) == ["study=variants", "study=verdict"]


def test_what_is_kept_of_a_pretraining_is_seen_though_its_network_is_timed(
    ae_cls: AeCls, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In this process: the server of processes has the store of whichever test began it.
    monkeypatch.setattr(process, "answer_of", lambda answer, *args: answer(*args))
    words = ("autoencoder.widths=[8,8]", "autoencoder.latent_dim=4", "pretrain=quick",
             "pretrain.epochs=1", "pretrain.min_steps=2", "threads=1")  # fmt: skip
    study = ("study", "--explain", *words, "study.arms=[pretrained,hog]", "study.budgets=[5]")
    assert ae_cls(*study).code == 0
    assert "1 pretraining\n" in caplog.text
    caplog.clear()
    assert ae_cls("pretrain", *words, "split.seed=0").code == 0
    caplog.clear()
    assert ae_cls(*study).code == 0
    assert "1 pretraining, 1 of them kept" in caplog.text
