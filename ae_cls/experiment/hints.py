"""What a user may have meant by a word that means nothing here."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ae_cls.errors import did_you_mean, typed
from ae_cls.experiment import configs
from ae_cls.store.places import at_home

_OPTIONS = {
    "autoencoder": {
        "conv": "ae autoencoder cae cnn convnet convolutional conv_autoencoder convolution unet",
        "masked_conv": "masked spark maskfeat sparse_conv",
        "mae": "vit transformer vision_transformer masked_autoencoder",
        "denoising": "dae denoise",
        "conv_large": "large big",
        "conv_kmeans": "joined wide conv_patches",
        "backbone": "torchvision resnet resnet18 imagenet timm",
        "backbone autoencoder.network=vgg16": "vgg vgg16 vgg19",
        "backbone autoencoder.network=resnet50": "resnet50 resnet101",
        "backbone autoencoder.network=mobilenet_v3_small": "mobilenet",
        "vae": "variational vae_conv",
        "beta_vae": "bvae betavae b_vae",
        "gmvae": "gm_vae vade mixture gaussian_mixture gmm clustering",
        "conditional_vae": "cvae conditional class_conditional ssvae",
        "deep": "dense mlp stacked fully_connected",
        "shallow": "single simple linear",
        "sparse": "k_sparse ksparse wta winner_take_all kl sae",
        "contractive": "contracting",
        "rae": "regularised regularized",
        "wae": "wasserstein mmd wae_mmd",
        "aae": "adversarial gan adversarial_autoencoder",
        "pixels": "raw pixel identity none no null",
        "hog": "histogram_of_oriented_gradients",
        "lbp": "local_binary_patterns texture",
        "kmeans": "k_means coates patches",
    },
    "dataset": {
        "fashion_mnist": "mnist_fashion fashion fmnist",
        "digits": "sklearn_digits optdigits load_digits",
        "cifar10": "cifar cifar_10",
        "cifar100": "cifar_100",
        "kmnist": "kuzushiji kuzushiji_mnist",
        "folder": "images image imagefolder image_folder own photos pictures",
        "csv_pixels": "csv kaggle",
        "npz": "numpy arrays medmnist",
    },
    "pretrain": {
        "none": "no off false random scratch zero null untrained",
        "standard": "default yes on true normal",
        "quick": "fast short",
        "long": "slow full",
        "layerwise": "greedy stacked layer_wise layer_by_layer",
    },
    "encode": {
        "latent": "code codes z bottleneck embedding mean",
        "pooled": "pool pooling avgpool last",
        "multiscale": "multi multi_scale all stages",
        "assignments": "clusters responsibilities soft_assignments",
    },
    "head": {
        "linear": "softmax logistic logreg lr logistic_regression logisticregression ridge probe",
        "svm": "svc rbf support_vector_machine libsvm",
        "svm head.kernel=linear": "linear_svm linear_svc svm_linear linearsvc",
        "forest": "rf random_forest randomforest randomforestclassifier trees extra_trees",
        "boosting": "gbm gradient_boosting hist_gradient_boosting lightgbm xgboost",
        "lda": "discriminant linear_discriminant_analysis lineardiscriminantanalysis fisher",
        "knn": "k_nn kneighbors neighbours neighbors nearest nearest_neighbours",
        "clusters": "cluster clustering counts vote",
        "spread": "label_spreading labelspreading label_propagation propagation graph transductive",
        "mlp": "nn neural dense perceptron neural_network",
        "joint": "supervised_autoencoder semi_supervised semisupervised swwae fused",
        "ladder": "gamma_model ladder_network",
        "m2": "m1m2 kingma semi_supervised_vae",
        "finetune": "fine_tune fine_tuning finetuning fine_tuned end_to_end",
    },
    "autoencoder.corruption": {
        "patch_mask": "mask masking patches",
        "gaussian": "noise normal gauss",
        "salt_pepper": "salt_and_pepper impulse",
        "none": "no off clean null",
    },
    "launch": {"slurm": "cluster sbatch submitit", "local": "here none"},
}
"""Of each group: what is meant, and the other names that people have for it."""

_KEYS = {
    "dataset": "data data_set ds",
    "autoencoder": "model net network arch architecture encoder ae",
    "head": "classifier clf probe",
    "encode": "features feature encoding",
    "pretrain": "pretraining training train",
    "autoencoder.corruption": "noise mask corrupt",
    "pretrain.lr": "learning_rate",
    "pretrain.epochs": "n_epochs num_epochs",
    "pretrain.optimiser": "optim opt",
    "labels.per_class": "shots n_shot per_class_labels labelled_per_class",
    "labels.count": "n_labels num_labels n_labelled",
    "autoencoder.latent_dim": "code_size bottleneck dim n_components embedding_dim",
    "dataset.image_size": "size img_size resolution",
    "dataset.root": "path data_dir dir data_path input",
    "device": "gpu cuda accelerator",
    "devices": "gpus world_size n_gpu",
    "seed": "random_state random_seed",
    "threads": "n_jobs num_threads cpus workers num_workers",
    "outputs": "out output output_dir out_dir",
}
"""Keys, and the other names that people have for them."""

_COMMANDS = {
    "run": "train fit experiment start main",
    "predict": "infer inference apply classify_images test",
    "encode": "features embed extract transform",
    "search": "tune optuna optimise optimize hyperopt",
    "run -m": "sweep multirun grid",
    "check": "inspect validate data doctor",
    "bench": "benchmark speed time",
    "resume": "continue restart",
    "cache": "store clean clear prune",
    "verify": "integrity checksum fsck sha256",
    "pretrain": "pretraining autoencoder",
}

_FILES = {".npz": "npz", ".csv": "csv_pixels", ".parquet": "parquet"}
_MOST = 3  # suggestions


def meant_option(group: str, option: str, folders: Sequence[Path] = ()) -> str:
    """A question that names the words meant by `group=option`; empty when none is near."""
    group = group.replace("/", ".")
    known = configs.options(group.replace(".", "/"), folders)
    if near := [name for name in known if _letters(name) == _letters(option)]:
        return f"did you mean {group}={near[0]}?"
    if group == "dataset" and (words := as_dataset(option)):
        return f"did you mean {words}?"
    if meant := _by_other_name(option, _OPTIONS.get(group, {})):
        return f"did you mean {group}={meant}?"
    if group == "head" and (count := re.fullmatch(r"k?_?nn_?(\d+)|(\d+)_?nn", _joined(option))):
        return f"did you mean head=knn head.neighbours={count[1] or count[2]}?"
    if elsewhere := configs.group_of(option, folders):
        return f"did you mean {elsewhere.replace('/', '.')}={option}?"
    return did_you_mean(option, known)


def as_dataset(word: str) -> str:
    """The words for images that lie at a path; empty if nothing lies there."""
    path = Path(at_home(word))
    try:
        kind = "folder" if path.is_dir() else _FILES[path.suffix.lower()]
    except (KeyError, OSError, ValueError):
        return ""
    return f"dataset={kind} {typed('dataset.root', word)}" if path.exists() else ""


def meant_words(word: str, folders: Sequence[Path] = ()) -> str:
    """A question about a word without `=`; empty when nothing is near."""
    if group := configs.group_of(word, folders):
        return f"did you mean {group}={word}?"
    if words := as_dataset(word):
        return f"did you mean {words}?"
    for name, others in _OPTIONS.items():
        if meant := _by_other_name(word, others):
            return f"did you mean {name}={meant}?"
    return ""


class Meant(NamedTuple):
    """What may be meant by a key that does not exist.

    Attributes:
        keys: the likeliest; none where nothing is near.
        choice: the word that chooses an option that has them; empty where they exist already.
    """

    keys: Sequence[str]
    choice: str = ""

    def said(self, key: str) -> str:
        """The mistake and its cure in one line."""
        start, names = f"{key}: there is no such key", " or ".join(self.keys)
        if not names:
            return start
        if all(name.startswith(f"{key}.") for name in self.keys):
            return f"{key}: is no key but a part, whose keys are {', '.join(self.keys)}"
        if self.choice:
            return f"{start}; {self.choice} has {names}"
        return f"{start}; did you mean {names}?"

    def words(self, value: str) -> str:
        """What to type; empty where that is not certain."""
        return f"{self.choice} {self.keys[0]}={value}".strip() if len(self.keys) == 1 else ""


def meant_key(
    key: str, known: Sequence[str], elsewhere: Callable[[], Mapping[str, str]] = dict[str, str]
) -> Meant:
    """What may be meant by a key.

    Args:
        key: as it was typed, without its value.
        known: the keys that exist here.
        elsewhere: gives keys of other options, each with the word that chooses such an option.
    """
    if inner := [name for name in known if name.rpartition(".")[0] == key]:
        return Meant(inner)
    if same := same_keys(key, known):
        return Meant(same)
    others = elsewhere()
    if same := same_keys(key, list(others)):
        choice = others[same[0]]
        return Meant([name for name in same if others[name] == choice], choice)
    return Meant(_near_keys(key, known))


def same_keys(key: str, known: Sequence[str]) -> list[str]:
    """The keys that this is another name of, or the end of."""
    outer, _, inner = key.rpartition(".")
    meant, name = _by_other_name(inner, _KEYS), _joined(key)
    if outer and meant.rpartition(".")[0] != outer:
        meant = ""
    for exact in (key.lstrip("-"), meant):
        if exact in known:
            return [exact]
    ending = [other for other in known if f"_{_joined(other)}".endswith(f"_{name}")]
    return (ending or [other for other in known if _last(other) == _last(key)])[:_MOST]


def _near_keys(key: str, known: Sequence[str]) -> list[str]:
    import difflib  # here, as few commands need it

    whole = difflib.get_close_matches(_joined(key), [_joined(other) for other in known], 1, 0.75)
    parts = difflib.get_close_matches(_last(key), [_last(other) for other in known], 1, 0.75)
    near = [other for other in known if _joined(other) in whole]
    return near or [other for other in known if _last(other) in parts][:_MOST]


def meant_command(word: str, commands: Sequence[str]) -> str:
    """A question that names the command meant; empty when none is near."""
    if meant := _by_other_name(word, _COMMANDS):
        return f"did you mean ae-cls {meant}?"
    if "=" in word or configs.group_of(word):
        return f"did you mean ae-cls run {word}?"
    return did_you_mean(word, commands)


def _by_other_name(word: str, others: Mapping[str, str]) -> str:
    """What is meant by a word that is another name of it; empty if it is none."""
    name = _joined(word)
    return next((meant for meant, names in others.items() if name in names.split()), "")


def _joined(word: str) -> str:
    """The word without what people spell in different ways: case, and what joins its parts."""
    return re.sub(r"[-_./\s]+", "_", word.lower()).strip("_")


def _letters(word: str) -> str:
    return _joined(word).replace("_", "")


def _last(key: str) -> str:
    return _joined(re.split(r"[./]", key)[-1])
