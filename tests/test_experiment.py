"""Every mistake in a config: all at once, with its key, value and the nearest word."""

import json

import pytest
from pydantic import BaseModel

from ae_cls.errors import ModelFileError, UsageError
from ae_cls.experiment.descriptions import COMMANDS, Classification, Experiment, Pretraining
from ae_cls.experiment.read import read, read_saved
from ae_cls.store.manifest import FORMAT
from tests.composed import CONFIGS, described, experiment, needed_by, options, plain

GROUPS = ["dataset", "autoencoder", "pretrain", "encode", "head"]
NEEDED = {
    option: ["dataset.root=somewhere"] for option in ("folder", "npz", "parquet", "csv_pixels")
}


def changed(*path_and_value) -> dict:
    *path, value = path_and_value
    copied = json.loads(json.dumps(plain("run")))
    node = copied
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return copied


def refusal(described_as: dict) -> UsageError:
    with pytest.raises(UsageError) as refused:
        read(Experiment, described_as)
    assert refused.value.code == 2
    return refused.value


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (["labels", "choose_by"], "labels.choose_by: has no value"),
        (["head", "class_weight"], "head.class_weight: has no value"),
        (["store"], "store: has no value"),
        (["head", "of_tomorrow"], "head.of_tomorrow: there is no such key"),
    ],
)
def test_a_description_of_another_version_is_called_so_with_the_keys(path, said):
    described_as = changed(*path, None)
    node = described_as
    for key in path[:-1]:
        node = node[key]
    if "no value" in said:
        del node[path[-1]]
    with pytest.raises(ModelFileError) as refused:
        read_saved(described_as, FORMAT)
    assert refused.value.code == 5 and said in refused.value.why
    assert "another version" in refused.value.what and "environment.json" in refused.value.fix
    assert read_saved(plain("run"), FORMAT) == experiment()


@pytest.mark.parametrize(("group", "option"), [(g, o) for g in GROUPS for o in options(g)])
def test_every_option_of_every_group_composes_and_validates(group, option):
    words = [f"{group}={option}", *NEEDED.get(option, []), *needed_by(option)]
    if group == "autoencoder":
        words.append("head=linear")
    found = getattr(experiment(*words), group)
    # A variant of numbers keeps the name of its code: beta_vae is vae, conv_large conv.
    assert found.name in {option, "vae", "conv", "gradient"}


def test_every_member_of_every_union_has_a_file():
    for group in GROUPS:
        members = Experiment.model_fields[group].annotation
        kinds = getattr(members, "__args__", (members,))
        names = {kind.model_fields["name"].annotation.__args__[0] for kind in kinds}
        files = {
            experiment(f"{group}={o}", *NEEDED.get(o, []), *needed_by(o)).model_dump()[group][
                "name"
            ]
            for o in options(group)
        }
        assert names == files


def test_every_field_has_a_description():
    def check(kind: type[BaseModel]) -> None:
        for name, field in kind.model_fields.items():
            if name == "name":
                continue
            inner = [a for a in getattr(field.annotation, "__args__", ()) if isinstance(a, type)]
            nested = [
                a
                for a in [field.annotation, *inner]
                if isinstance(a, type) and issubclass(a, BaseModel)
            ]
            for one in nested:
                check(one)
            assert nested or field.description, f"{kind.__name__}.{name}"

    for kind in COMMANDS.values():
        check(kind)


def test_an_unknown_key_names_the_nearest_one():
    mistake = refusal(changed("autoencoder", "latnt_dim", 32))
    assert (
        "autoencoder.latnt_dim: there is no such key; did you mean autoencoder.latent_dim?"
        in mistake.where
    )


def test_all_mistakes_are_told_at_once():
    described_as = changed("pretrain", "lr", "fast")
    described_as["seed"] = -1
    described_as["head"]["extra"] = 1
    mistake = refusal(described_as)
    assert mistake.what == "3 mistakes in the config"
    for key in ('pretrain.lr="fast"', "seed=-1", "head.extra"):
        assert key in mistake.where


@pytest.mark.parametrize(
    ("path", "value", "allowed"),
    [
        (("pretrain", "epochs"), 3.5, "integer"),
        (("pretrain", "epochs"), 0, "greater than or equal to 1"),
        (("pretrain", "lr"), 0, "greater than 0"),
        (("pretrain", "lr"), float("inf"), "finite"),
        (("pretrain", "lr"), True, "number"),
        (("seed",), 2**32, "less than 4294967296"),
        (("device",), "gpu", "pattern"),
        (("precision",), "fp8", "'auto', 'fp32' or 'bf16'"),
        (("autoencoder", "widths"), [], "at least 1 item"),
        (("autoencoder", "corruption", "ratio"), 1.5, "less than 1"),
    ],
)
def test_a_wrong_value_names_key_value_and_what_is_allowed(path, value, allowed):
    mistake = refusal(changed(*path, value))
    assert ".".join(path) in mistake.where
    assert allowed in mistake.where


def test_a_missing_key_is_said():
    described_as = changed("seed", 0)
    del described_as["seed"]
    assert "seed: has no value" in refusal(described_as).where


def test_fine_tuning_what_has_no_weights_is_refused():
    with pytest.raises(UsageError, match="no weights to train"):
        experiment("autoencoder=pixels", "head=finetune")


def test_counting_labels_in_clusters_needs_clusters():
    assert experiment(
        "autoencoder=gmvae", "encode=assignments", "head=clusters"
    ).head.reads_clusters
    with pytest.raises(UsageError, match="add encode=assignments"):
        experiment("autoencoder=gmvae", "head=clusters")
    with pytest.raises(UsageError, match="conv finds none"):
        experiment("encode=assignments")


def test_a_description_survives_json():
    found = experiment()
    assert read(Experiment, json.loads(found.model_dump_json())) == found


def test_a_classification_continues_a_pretraining():
    pretraining = described("pretrain", "seed=3", "autoencoder=vae")
    classification = described("classify", "encoder=x", "head=svm", "seed=7")
    assert isinstance(pretraining, Pretraining)
    assert isinstance(classification, Classification)
    whole = classification.on(pretraining)
    assert whole.autoencoder == pretraining.autoencoder
    assert (whole.seed, whole.split.seed) == (7, 3)
    assert whole.head.name == "svm"


def test_a_classification_that_does_not_fit_its_encoder_is_refused():
    pretraining = described("pretrain", "autoencoder=pixels")
    classification = described("classify", "encoder=x", "head=finetune")
    assert isinstance(pretraining, Pretraining)
    assert isinstance(classification, Classification)
    with pytest.raises(UsageError, match="no weights to train"):
        classification.on(pretraining)


def test_every_option_says_what_it_is_in_its_first_line():
    for path in CONFIGS.rglob("*.yaml"):
        first = path.read_text().splitlines()[0]
        assert first.startswith("# "), path
        assert len(first) < 100, path


@pytest.mark.parametrize(
    ("head", "key"),
    [
        ("linear", "C"),
        ("svm", "C"),
        ("svm", "gamma"),
        ("knn", "neighbours"),
        ("mlp", "learning_rate"),
        ("forest", "min_samples_leaf"),
    ],
)
def test_a_value_to_choose_from_may_stand_alone(head, key):
    assert experiment(f"head={head}", f"head.{key}=1") == experiment(
        f"head={head}", f"head.{key}=[1]"
    )
    with pytest.raises(UsageError, match=rf"head\.{key}\.0=-1"):
        experiment(f"head={head}", f"head.{key}=-1")
