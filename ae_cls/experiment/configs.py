"""What the configs folder holds, read without Hydra: groups, options, what each says of itself."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ae_cls.errors import UsageError
from ae_cls.experiment.own_options import refuse_unreadable
from ae_cls.store.places import at_home

PATH_KEYS = frozenset(
    {
        "autoencoder.weights", "dataset.image_folder", "dataset.labels_csv", "dataset.root",
        "encoder", "folder", "outputs", "search.folder", "study.folder",
    }
)  # fmt: skip
"""The keys of type `PathText`, listed here because the models cannot be asked without torch."""

PICTURE_KEYS = ("image_size", "channels", "fit", "black", "white", "background", "bands")
"""Of data sets of image files: how a file becomes what a network sees. An encoder that is taken
over has seen one kind only, so `classify` leaves them to its run unless they are said."""

_PACKAGE = Path(__file__).resolve().parents[1]


class Key(NamedTuple):
    """A key of a command that is no group: its name, its default, what it means."""

    name: str
    default: str
    meaning: str


def config_folder() -> Path:
    """Inside the package when installed from a wheel, beside it in a checkout."""
    inside = _PACKAGE / "configs"
    return inside if inside.is_dir() else _PACKAGE.parent / "configs"


def is_group(name: str, folders: Sequence[Path] = ()) -> bool:
    """Whether our folder or one of the user's has options for it; a nested name has slashes."""
    return bool(name) and bool(options(name, folders))


def options(group: str, folders: Sequence[Path] = ()) -> list[str]:
    """The words that may stand behind `group=`, the user's own included, by code point."""
    places = (config_folder(), *folders)
    return sorted({option for folder in places for option in _options_in(folder / group)})


def is_option(group: str, option: object, folders: Sequence[Path] = ()) -> bool:
    """Whether a file of ours or of the user's has that name, in the group or below it."""
    places = (config_folder(), *folders)
    # Not Path.is_file, which raises where a name is longer than any file's can be.
    return isinstance(option, str) and any(
        os.path.isfile(place / group / f"{option.removesuffix('.yaml')}.yaml")  # noqa: PTH113
        for place in places
    )


def is_path_key(name: str) -> bool:
    """Whether a key holds a path; the outer name may stand before a slash, too."""
    return name.replace("/", ".") in PATH_KEYS


def groups(folders: Sequence[Path] = ()) -> list[str]:
    """All groups, the user's own included, nested ones as `group/inner`, by code point."""
    places = (config_folder(), *folders)
    return sorted({name for folder in places for name in _groups_in(folder)})


def groups_of(command: str) -> dict[str, str | None]:
    """The groups that a command chooses from, in its order, each with its default if any."""
    chosen: dict[str, str | None] = {}
    for entry in _defaults(config_folder() / f"{command}.yaml"):
        if isinstance(entry, dict):
            chosen |= {group: option for group, option in entry.items() if group.isidentifier()}
        elif entry != "_self_":
            chosen |= groups_of(entry)
    return chosen


def defaults_of(command: str) -> dict[str, str]:
    """Of each group of a command that has a default: that option."""
    return {group: option for group, option in groups_of(command).items() if option is not None}


def all_groups_of(command: str) -> dict[str, str | None]:
    """As `groups_of`, with the nested groups, whose default is the outer option's own: None."""
    chosen = groups_of(command)
    names = [name for group in chosen for name in groups() if name.split("/")[0] == group]
    return {name: chosen.get(name) for name in names}


def described_options(group: str) -> dict[str, str]:
    """Our options of a group, each with what it says of itself."""
    folder = config_folder() / group
    return {option: first_comment(folder / f"{option}.yaml") for option in options(group)}


def option_file(group: str, option: str, folders: Sequence[Path] = ()) -> Path:
    """The file of an option that there is, ours or one of the user's."""
    paths = (place / group / f"{option}.yaml" for place in (config_folder(), *folders))
    return next(path for path in paths if path.is_file())


def says(group: str, option: str, folders: Sequence[Path] = ()) -> str:
    """What an option says of itself, ours or one of the user's."""
    return first_comment(option_file(group, option, folders))


def group_of(option: str, folders: Sequence[Path] = ()) -> str | None:
    """The first group that has such an option."""
    return next((name for name in groups(folders) if option in options(name, folders)), None)


def own_folder(word: str) -> Path:
    """A folder of the user's options, none of which can be mistaken for one of ours.

    Raises:
        UsageError: there is no such folder, or a file in it has the name of one of ours or cannot
            be read.
    """
    folder = Path(at_home(word))
    if not folder.is_dir():
        raise UsageError(f"there is no folder {word}", where="--config-dir")
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder)
        if (config_folder() / name).is_file():
            raise UsageError(
                f"{name} is the name of an option of ae-cls", where=str(path),
                fix="use another file name",
            )  # fmt: skip
        refuse_unreadable(path)
    return folder


def key_names(plain: Mapping[Any, Any], above: str = "") -> Iterator[str]:
    """The dotted names of all keys and parts in a config, apart from what chooses a part."""
    for name, value in plain.items():
        if name == "name":
            continue
        yield f"{above}{name}"  # in a user's own option it may be a number
        if isinstance(value, dict):
            yield from key_names(value, f"{above}{name}.")


def all_keys(command: str) -> list[str]:
    """Groups, keys, and keys of all options, as they are typed."""
    own = [key.name for key in keys_of(command)]
    return [*own, *all_groups_of(command), *keys_of_options(command)]


def keys_of_options(command: str) -> dict[str, str]:
    """Each key that some option of ours has, and the word that chooses the plainest such option."""
    found: dict[str, str] = {}
    for group in all_groups_of(command):
        dotted = group.replace("/", ".")
        files = {option: config_folder() / group / f"{option}.yaml" for option in options(group)}
        values = {option: read_yaml(path) for option, path in files.items()}
        # Those first that have all keys themselves, and not those of another option changed; of
        # those the shortest word: gmvae has what vae has, and more.
        for option in sorted(values, key=lambda name: ("name" not in values[name], len(name))):
            own = {key: value for key, value in values[option].items() if key != "defaults"}
            for name in key_names(own, f"{dotted}."):
                found.setdefault(name, f"{dotted}={option}")
    return found


def keys_of(command: str) -> list[Key]:
    """The keys of a command that are no groups, its own first, with the comments behind them."""
    path = config_folder() / f"{command}.yaml"
    files = [entry for entry in _defaults(path) if isinstance(entry, str) and entry != "_self_"]
    return [*_commented_keys(path), *(key for file in files for key in keys_of(file))]


def first_comment(path: Path) -> str:
    """What the file says of itself in its first line."""
    with path.open(encoding="utf-8") as file:
        line = file.readline().strip()
    return line.lstrip("# ") if line.startswith("#") else ""


def examples(path: Path) -> list[str]:
    """The command lines in the comments at the beginning of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.lstrip("# ") for line in lines if line.startswith("#   ae-cls ")]


def read_yaml(path: Path) -> dict[str, Any]:
    """The plain values of a config file."""
    import yaml

    # In C where the wheel has it: all our files then take 20 ms instead of 200.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506  one of the safe two


def _defaults(path: Path) -> list[Any]:
    return read_yaml(path).get("defaults", [])


def _commented_keys(path: Path) -> Iterator[Key]:
    """Lines of the form `key: default  # meaning`, at most one level deep."""
    above = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        setting, _, meaning = line.partition("  # ")
        name, colon, default = setting.partition(":")
        if line.startswith("#"):
            continue
        if meaning:
            outer = above if name.startswith(" ") else ""
            yield Key(outer + name.strip(), default.strip(), meaning)
        elif colon:
            above = f"{name.strip()}."


def _options_in(folder: Path) -> list[str]:
    return [path.stem for path in folder.glob("*.yaml")]


def _groups_in(folder: Path, above: str = "") -> Iterator[str]:
    for inner in folder.iterdir():
        if inner.is_dir():
            if _options_in(inner):
                yield above + inner.name
            yield from _groups_in(inner, f"{above}{inner.name}/")
