"""The help text of the composed commands, read from the configs folder."""

from pathlib import Path

from ae_cls.cli.flags import FLAGS, Flag
from ae_cls.experiment import configs

KEYS = {
    "split.valid_fraction": "of the training rows; where there is no official validation part",
    "split.test_fraction": "of all labelled rows; where there is no official test part; 0: none",
    "split.seed": "null: the run's seed",
    "labels.per_class": "labels of each class",
    "labels.fraction": "share of the training labels",
    "labels.count": "labels in all, each class at least once",
    "labels.draw": "seed of the draw; null: the run's seed",
    "test": "read the test part at the end; a search leaves it closed",
    "encoder": "run folder of ae-cls pretrain or ae-cls run",
    "yardstick_batch": "images a step of the yardstick",
    "yardstick_lr": "learning rate of the yardstick",
    "steps": "steps that are timed at once, after as many to warm up",
    "repeats": "times that each is timed, in turn; the median is told",
    "until": "validation accuracy of the head to time; null: not timed",
    "seed": "every random draw follows from it",
    "device": "auto takes a GPU where there is one",
    "precision": "of matrix products; auto takes bf16 where the hardware multiplies it",
    "threads": "CPU threads; null: all cores, or a worker's share of them",
    "devices": "processes that train one model, each with a card or a share of the cores",
    "outputs": "folder under which run folders are made",
    "folder": "the run folder itself; null: a new one under outputs",
    "store": "where outputs of stages are kept: for all runs, or for this run alone",
    "checkpoint_seconds": "between two checkpoints of a training; one more ends each epoch",
}
"""As `experiment` says it; a test compares them, for reading them there would import torch."""

EXAMPLES = {
    "run": (
        "ae-cls run",
        "ae-cls run dataset=fashion_mnist autoencoder=vae head=svm labels.per_class=10",
        "ae-cls run dataset=folder dataset.root=photos dataset.image_size=96 head=finetune",
        "ae-cls run -m pretrain=none,standard labels.per_class=5,50 seed=0,1,2",
        "ae-cls run -m hydra/sweeper=optuna 'head.C=tag(log, interval(0.01, 10))' encode=glob(*)",
    ),
    "pretrain": (
        "ae-cls pretrain dataset=fashion_mnist autoencoder=conv pretrain=long",
        "ae-cls pretrain -m autoencoder=shallow,deep,conv",
    ),
    "bench": (
        "ae-cls bench",
        "ae-cls bench autoencoder.widths=[128,128] until=null",
        "ae-cls bench dataset=digits steps=10 repeats=1",
    ),
    "classify": (
        "ae-cls classify encoder=outputs/run/digits-conv/20260101-120000-000000 head=svm",
        "ae-cls classify -m encoder=RUN_FOLDER head=linear,svm,knn labels.per_class=5,50",
    ),
}


def help_of(command: str) -> str:
    """Usage, groups with their options, keys, flags, examples."""
    root = configs.config_folder() / f"{command}.yaml"
    parts = [
        f"ae-cls {command}: {configs.first_comment(root)}",
        f"usage: ae-cls {command} [GROUP=OPTION ...] [KEY=VALUE ...] [FLAG ...], in any order",
        "Groups; * is the default. An option's own keys: "
        f"ae-cls {command} GROUP=OPTION --cfg job --package GROUP",
        *_groups(command),
        _section("Keys, with their defaults", _keys(root)),
        _section("Flags", [(_flag(flag), flag.what) for flag in FLAGS]),
        "\n".join(["Examples", *(f"  {example}" for example in EXAMPLES[command])]),
    ]
    return "\n\n".join(parts)


def _groups(command: str) -> list[str]:
    folder = configs.config_folder()
    chosen = configs.groups_of(command)
    names = [
        name
        for group in chosen
        for name in configs.groups([folder])
        if name == group or name.startswith(f"{group}/")
    ]
    return [_group(folder, name, chosen.get(name)) for name in names]


def _group(folder: Path, name: str, default: str | None) -> str:
    rows = [
        (
            f"{'*' if option == default else ' '} {option}",
            configs.first_comment(folder / name / f"{option}.yaml"),
        )
        for option in configs.options(name, [folder])
    ]
    return _section(name, rows)


def _keys(root: Path) -> list[tuple[str, str]]:
    plain = configs.read_yaml(root)
    flat = {
        name: value
        for key, node in plain.items()
        if key not in {"defaults", "hydra"}
        for name, value in (
            {f"{key}.{inner}": value for inner, value in node.items()}
            if isinstance(node, dict)
            else {key: node}
        ).items()
    }
    return [
        (f"{key}={'null' if value is None else value}", KEYS[key]) for key, value in flat.items()
    ]


def _flag(flag: Flag) -> str:
    value = "|".join(flag.choices) or flag.value
    return " ".join([", ".join(flag.names), *([value] if value else [])])


def _section(title: str, rows: list[tuple[str, str]]) -> str:
    width = min(28, max(len(left) for left, _ in rows))
    return "\n".join([title, *(f"  {left:<{width}}  {right}".rstrip() for left, right in rows)])
