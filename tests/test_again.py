"""The words of a config compose to it again."""

import pytest

from ae_cls.experiment.again import words_of
from tests.composed import options, plain


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("autoencoder=beta_vae", "pretrain=quick", "head=svm", "labels.per_class=10", "seed=3"),
        ("autoencoder.corruption.ratio=0.5", "pretrain=none", "head.C=[0.1,1.0]"),
        ("autoencoder/corruption=none", "encode=latent", "pretrain.augment.flip=true"),
        ("autoencoder=vae", "autoencoder/corruption=gaussian", "labels.choose_by=macro_f1"),
        ("dataset=folder", "dataset.root=my photos/of=2020", "head=finetune", "head.epochs=2"),
        ("split.folds=5", "split.fold=3", "labels.fraction=0.1", "precision=fp32"),
    ],
)
def test_words_compose_to_the_config(words):
    config = plain("run", *words)
    assert plain("run", *words_of(config)) == config
    assert len(words_of(config)) <= len(words)


@pytest.mark.parametrize("group", ["autoencoder", "pretrain", "encode", "head", "dataset"])
def test_every_option_has_its_words(group):
    for option in options(group):
        config = plain("run", f"{group}={option}")
        assert plain("run", *words_of(config)) == config
