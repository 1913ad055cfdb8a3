"""Words that mean nothing here are answered with the word meant, at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from ae_cls.experiment import configs, hints
from tests.cli.conftest import AeCls, with_hydra

pytestmark = with_hydra

ANSWERS = {
    "latent_dim=32": "did you mean autoencoder.latent_dim?\n  fix    autoencoder.latent_dim=32\n",
    "labels_per_class=10": "did you mean labels.per_class?\n  fix    labels.per_class=10\n",
    "per_class=10": "fix    labels.per_class=10\n",
    "labels/per_class=10": "there is no group labels/per_class",
    "autoencoder_latent_dim=3": "fix    autoencoder.latent_dim=3\n",
    "pretrain.batch-size=64": "fix    pretrain.batch_size=64\n",
    "pretrain.learning_rate=0.1": "did you mean pretrain.lr?",
    "latnt_dim=3": "did you mean autoencoder.latent_dim?",
    "lr=0.01": "fix    pretrain.lr=0.01\n",
    "model=vae": "fix    autoencoder=vae\n",
    "classifier=svm": "fix    head=svm\n",
    "corruption=none": "fix    autoencoder.corruption=none\n",
    "autoencoder.beta=4": "fix    autoencoder=vae autoencoder.beta=4\n",
    "gamma=1": "head=svm has head.gamma\n",
    "image_size=32": "has dataset.image_size\n",
    "labels=10": "is no key but a part, whose keys are labels.per_class, labels.fraction",
    "grid=2": "fix    encode.grid=2\n",
    "qqq=1": "qqq: there is no such key\n  fix    ae-cls run --help\n",
    "head=softmax": "did you mean head=linear?",
    "head=logistic": "did you mean head=linear?",
    "head=logreg": "did you mean head=linear?",
    "head=rf": "did you mean head=forest?",
    "head=random_forest": "did you mean head=forest?",
    "head=RandomForest": "did you mean head=forest?",
    "head=svc": "did you mean head=svm?",
    "head=linear_svm": "did you mean head=svm head.kernel=linear?",
    "head=knn5": "did you mean head=knn head.neighbours=5?",
    "head=fine-tune": "did you mean head=finetune?",
    "dataset=mnist-fashion": "did you mean dataset=fashion_mnist?",
    "dataset=fashion-mnist": "did you mean dataset=fashion_mnist?",
    "dataset=FashionMNIST": "did you mean dataset=fashion_mnist?",
    "dataset=photos": "did you mean dataset=folder dataset.root=photos?",
    "dataset=./photos": "did you mean dataset=folder dataset.root=./photos?",
    "dataset=my photos (1)": "dataset=folder 'dataset.root=\"my photos (1)\"'?",
    "dataset=photos.npz": "did you mean dataset=npz dataset.root=photos.npz?",
    "photos": "did you mean dataset=folder dataset.root=photos?",
    "autoencoder=ae": "did you mean autoencoder=conv?",
    "autoencoder=cnn": "did you mean autoencoder=conv?",
    "autoencoder=vgg": "did you mean autoencoder=backbone autoencoder.network=vgg16?",
    "autoencoder=resnet": "did you mean autoencoder=backbone?",
    "autoencoder=beta-vae": "did you mean autoencoder=beta_vae?",
    "autoencoder=null": "did you mean autoencoder=pixels?",
    "autoencoder=svm": "did you mean head=svm?",
    "autoencoder.corruption=noise": "did you mean autoencoder.corruption=gaussian?",
    "pretrain=false": "did you mean pretrain=none?",
    "pretrain=random": "did you mean pretrain=none?",
    "encode=code": "did you mean encode=latent?",
    "rf": "did you mean head=forest?",
    "--seed=3": "fix    did you mean seed=3?\n",
    "--epochs": "did you mean pretrain.epochs=...?",
    "--head=svm": "did you mean head=svm?",
}


@pytest.fixture
def here(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "my photos (1)").mkdir()
    (tmp_path / "photos.npz").touch()


@pytest.mark.parametrize("word", ANSWERS)
@pytest.mark.usefixtures("here")
def test_the_word_meant_is_named(ae_cls: AeCls, word: str) -> None:
    outcome = ae_cls("run", word)
    assert outcome.code == 2
    assert ANSWERS[word] in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "dataset=mnist"], "did you mean ae-cls run?"),
        (["dataset=mnist"], "did you mean ae-cls run dataset=mnist?"),
        (["infer"], "did you mean ae-cls predict?"),
        (["optuna"], "did you mean ae-cls search?"),
        (["sweep"], "did you mean ae-cls run -m?"),
    ],
)
def test_the_command_meant_is_named(ae_cls: AeCls, words: list[str], said: str) -> None:
    outcome = ae_cls(*words)
    assert outcome.code == 2 and said in outcome.err


def test_all_wrong_names_are_said_at_once(ae_cls: AeCls) -> None:
    options = ae_cls("run", "head=rf", "dataset=fashion").err
    assert "head=forest" in options and "dataset=fashion_mnist" in options
    keys = ae_cls("run", "latent_dim=3", "epochs=2", "seed=1").err
    assert "2 mistakes in the config" in keys
    assert "fix    autoencoder.latent_dim=3 pretrain.epochs=2\n" in keys


@pytest.mark.parametrize(
    "words",
    [
        ["run", "latent_dim=32", "seed=1", "labels.per_class=10"],
        ["run", "head=rf"],
        ["run", "-m", "head=linear,rf"],
        ["run", "-m", "latent_dim=3,4"],
        ["search", "run", "latent_dim=3,4"],
        ["classify", "encoder=x", "C=1,2", "zzz=1"],
        ["run", "autoencoder=vea", "--help"],
        ["run", "--seed=3"],
    ],
    ids=" ".join,
)
def test_a_wrong_word_is_answered_without_torch(words: list[str]) -> None:
    script = (
        "import sys; from ae_cls.cli.exits import guarded; from ae_cls.cli.main import dispatch; "
        f"code = guarded(dispatch, {words!r}); print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "2 False\n", done.stderr


def test_other_names_are_of_options_that_exist_and_of_one_alone() -> None:
    for group, names in hints._OPTIONS.items():
        options = configs.options(group.replace(".", "/"))
        assert {meant.split()[0] for meant in names} <= set(options)
        others = [other for spelt in names.values() for other in spelt.split()]
        assert len(others) == len(set(others)), group
        assert not set(others) & set(options), group
        assert others == [hints._joined(other) for other in others]


def test_other_names_are_of_keys_that_exist() -> None:
    known = {*configs.all_keys("run"), "autoencoder.corruption"}
    assert set(hints._KEYS) <= known
