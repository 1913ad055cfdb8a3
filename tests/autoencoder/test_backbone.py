"""Networks of torchvision as encoders: their layers, their weights, and where these come from."""

import urllib.error
from typing import get_args

import pytest
import safetensors.torch
import torch
from torchvision import models

from ae_cls.autoencoder.contract import Autoencoder, build, without_numbers
from ae_cls.autoencoder.parts.torchvision_network import NetworkName
from ae_cls.autoencoder.parts.upward import Upward
from ae_cls.compute import start
from ae_cls.errors import AeClsError, ModelFileError, UsageError
from ae_cls.experiment.descriptions import Classification
from ae_cls.pretrain.none import NoPretraining
from ae_cls.run.run import classify, run
from ae_cls.saved.model import load_autoencoder
from ae_cls.train.task import TrainTask
from tests.autoencoder.variants import config, draws, table, unit
from tests.composed import described, experiment

NETWORKS = get_args(NetworkName)
SMALL = ("autoencoder.network=vgg11_bn", "autoencoder.stages=1", "autoencoder.decoder_width=8")


def backbone(*words: str, shape=(3, 32, 32), seed=0) -> Autoencoder:
    return build(config("backbone", *words), shape, seed)


def numbers(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("network", "side", "count"),
    [("vgg16", 224, 14_714_688), ("resnet18", 224, 11_176_512), ("resnet18", 32, 11_168_832)],
)
def test_encoders_have_as_many_weights_as_published(network, side, count):
    model = without_numbers(config("backbone", f"autoencoder.network={network}"), (3, side, side))
    assert numbers(model.trunk) == count


@pytest.mark.parametrize("network", NETWORKS)
def test_the_code_is_torchvisions_own_map_to_the_bit(network):
    model = backbone(f"autoencoder.network={network}", shape=(3, 96, 96)).eval()
    with torch.device("meta"):  # the classifier is not asked
        own = models.get_model(network).eval()
    for name in [name for name, _ in own.named_children() if name in ("fc", "classifier")]:
        delattr(own, name)
    state = {model.trunk.prefix + name: t for name, t in model.trunk.layers.state_dict().items()}
    own.load_state_dict(state, assign=True)
    images = unit(table((3, 96, 96), 2))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normed = (images - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    maps = normed.contiguous(memory_format=torch.channels_last)
    for name, layer in own.named_children():
        maps = maps if name == "avgpool" else layer(maps)
    with torch.inference_mode():
        assert torch.equal(model.encode(images), maps.flatten(1))
        assert torch.equal(model.feature_maps(images)[-1], maps)


@torch.no_grad()
def test_weights_are_drawn_as_torchvision_draws_them():
    drawn = backbone("autoencoder.network=resnet18", shape=(3, 96, 96)).trunk.layers
    own = models.resnet18()
    for ours, theirs in zip(drawn.layer2.parameters(), own.layer2.parameters(), strict=True):
        count, spread = ours.numel(), float(theirs.std())
        far = 5 * (2 / count) ** 0.5  # five standard errors of a difference
        assert abs(float(ours.mean() - theirs.mean())) <= far * spread
        assert abs(float(ours.std()) - spread) <= far * spread


def test_a_grey_image_is_taken_for_one_of_three_equal_channels():
    grey = backbone(*SMALL, shape=(1, 32, 32)).eval()
    colour = backbone(*SMALL).eval()
    images = unit(table((1, 32, 32), 2))
    assert torch.equal(grey.encode(images), colour.encode(images.repeat(1, 3, 1, 1)))


def test_images_of_another_number_of_channels_are_refused():
    with pytest.raises(UsageError, match="have 4 channels"):
        backbone(shape=(4, 32, 32))


@pytest.mark.parametrize("stages", range(1, 5))
def test_some_stages_give_the_maps_that_all_of_them_give(stages):
    images = unit(table((3, 32, 32), 2))
    whole = backbone().eval()
    some = backbone(f"autoencoder.stages={stages}").eval()
    some.trunk.layers.load_state_dict(whole.trunk.layers[: stages + 4].state_dict())
    maps = some.feature_maps(images)
    assert len(maps) == stages
    assert torch.equal(maps[-1], whole.feature_maps(images)[stages - 1])


@pytest.mark.parametrize("sides", [(224, 224), (225, 130), (31, 30), (250, 33), (8, 8)])
@pytest.mark.parametrize("network", ["vgg16", "resnet18", "mobilenet_v3_small"])
def test_images_of_any_size_are_rebuilt(network, sides):
    with torch.device("meta"):
        model = config("backbone", f"autoencoder.network={network}").build((3, *sides)).eval()
        images = torch.empty(2, 3, *sides)
        assert model.decode(model.encode(images)).shape == images.shape


def test_a_decoder_begins_without_a_chessboard():
    decoder = Upward((8, 2, 2), (1, 32, 32), width=16)
    enlarged = decoder.steps[0][:2](torch.rand(1, 8, 2, 2))
    assert torch.equal(enlarged[:, :, ::2, ::2], enlarged[:, :, 1::2, 1::2])


@pytest.fixture
def given(tmp_path):
    """A file of weights as torchvision has them, with a classifier."""
    state = backbone(*SMALL[:1], seed=7).trunk.layers.state_dict()
    named = {f"features.{name}": tensor for name, tensor in state.items()}
    classifier = {"classifier.0.weight": torch.ones(2, 2)}
    safetensors.torch.save_file(named | classifier, tmp_path / "given.safetensors")
    old = {name: t for name, t in named.items() if not name.endswith("num_batches_tracked")}
    torch.save(old | classifier, tmp_path / "given.pth")
    return tmp_path


@pytest.mark.parametrize("name", ["given.safetensors", "given.pth"])
@pytest.mark.parametrize("words", [SMALL[:1], SMALL], ids=["all_stages", "one_stage"])
def test_an_encoder_begins_with_the_weights_of_a_file(given, name, words):
    model = backbone(*words, f"autoencoder.weights={given / name}")
    expected = backbone(*SMALL[:1], seed=7).trunk.layers.state_dict()
    state = model.trunk.layers.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state.items())


def test_a_file_of_another_network_is_refused_by_name(given):
    torch.save(models.resnet34().state_dict(), given / "resnet34.pth")
    words = ("autoencoder.network=resnet18", f"autoencoder.weights={given / 'resnet34.pth'}")
    with pytest.raises(ModelFileError, match=r"unexpected: layer1\.2\."):
        backbone(*words)
    with pytest.raises(ModelFileError, match=r"missing: bn1\.bias"):
        backbone(f"autoencoder.weights={given / 'given.safetensors'}")


class Harmful:
    """Would make a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_what_runs_when_it_is_read_is_refused_unread(tmp_path):
    torch.save({"a": Harmful(tmp_path / "made")}, tmp_path / "harmful.pth")
    with pytest.raises(ModelFileError, match="no weights that can be read safely"):
        backbone(f"autoencoder.weights={tmp_path / 'harmful.pth'}")
    assert not (tmp_path / "made").exists()


def test_other_files_are_refused(given):
    (given / "text.pth").write_text("no weights")
    torch.save([1, 2], given / "list.pth")
    (given / "link.pth").symlink_to(given / "given.pth")
    spoilt = safetensors.torch.load_file(given / "given.safetensors")
    spoilt["features.0.weight"][0] = torch.nan
    safetensors.torch.save_file(spoilt, given / "nan.safetensors")
    reasons = {
        "text.pth": "no weights", "list.pth": "something else", "link.pth": "not followed",
        "nan.safetensors": r"features\.0\.weight|not finite", "imagenett": "did you mean imagenet",
    }  # fmt: skip
    for name, reason in reasons.items():
        with pytest.raises(AeClsError, match=reason):
            backbone(*SMALL, f"autoencoder.weights={given / name}")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torchvision's cache, empty, and no network."""

    def unreachable(*_, **__):
        raise urllib.error.URLError("no network here")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    return tmp_path / "hub" / "checkpoints"


def test_imagenets_weights_that_cannot_be_had_are_one_error_with_two_ways_out(hub):
    with pytest.raises(UsageError, match="neither be read nor downloaded") as refusal:
        backbone("autoencoder.weights=imagenet")
    assert "no network here" in refusal.value.why
    assert str(hub) in refusal.value.fix and "autoencoder.weights=FILE" in refusal.value.fix


def test_imagenets_weights_are_taken_from_torchvisions_cache(hub):
    own = models.mobilenet_v3_small().state_dict()
    hub.mkdir(parents=True)
    torch.save(own, hub / "mobilenet_v3_small-047dcff4.pth")
    model = backbone("autoencoder.network=mobilenet_v3_small", "autoencoder.weights=imagenet")
    state = model.trunk.layers.state_dict()
    assert all(torch.equal(tensor, own[f"features.{name}"]) for name, tensor in state.items())


def frozen_words(given) -> tuple[str, ...]:
    return (*SMALL, f"autoencoder.weights={given / 'given.pth'}", "autoencoder.frozen=true")


def test_a_frozen_encoder_stays_as_it_is_to_the_byte_while_its_decoder_learns(given):
    model = backbone(*frozen_words(given), shape=(1, 8, 8)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    for step in range(3):
        optimiser.zero_grad()
        model.loss(unit(table((1, 8, 8))), draws(24, step), 0.0).total.backward()
        optimiser.step()
    after = model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith(("decoder.", "readout.paint."))}
    assert model.trunk.training


def test_without_pretraining_given_batch_norms_stay_as_they_are(given):
    model = backbone(*frozen_words(given), shape=(1, 8, 8))
    before = model.trunk.layers.state_dict()["1.running_mean"].clone()
    images = table((1, 8, 8))
    compute = start("cpu", "fp32", 1)
    task = TrainTask(images, images, mirrored_is_same=False, seed=0, compute=compute)
    NoPretraining(name="none").fit(model, task)
    assert torch.equal(model.trunk.layers.state_dict()["1.running_mean"], before)


def test_drawn_weights_are_not_frozen():
    with pytest.raises(UsageError) as refusal:
        config("backbone", "autoencoder.frozen=true")
    assert "the control pretrain=none" in refusal.value.where


def test_a_wrong_word_for_a_network_names_the_nearest():
    with pytest.raises(UsageError) as refusal:
        config("backbone", "autoencoder.network=resnet81")
    assert refusal.value.where.endswith("did you mean resnet18?")


def test_a_run_says_that_labels_were_known_before_and_needs_the_file_no_more(given, tmp_path):
    words = (
        "autoencoder=backbone", *frozen_words(given), "pretrain=quick", "pretrain.min_steps=3",
        "pretrain.epochs=1", "labels.per_class=5", "head=knn", "figures=false", "store=own",
    )  # fmt: skip
    result = run(experiment(*words, f"folder={tmp_path / 'run'}"))
    prior = "vgg11_bn begins with weights of a file, perhaps learnt with labels"
    assert result.metrics["protocol"]["supervised_prior"] == prior
    for file in given.glob("given.*"):
        file.unlink()
    model = load_autoencoder(result.folder, start("cpu", "fp32", 1))
    expected = backbone(*SMALL[:1], seed=7).trunk.layers.state_dict()["0.weight"]
    assert torch.equal(model.trunk.layers[0].weight, expected)
    again = described("classify", f"encoder={result.folder}", "head=lda", "figures=false")
    assert isinstance(again, Classification)
    assert classify(again).metrics["protocol"]["supervised_prior"] == prior
