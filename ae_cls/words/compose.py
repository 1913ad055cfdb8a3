"""What the user's words compose to. Hydra reads and merges the files, and nothing of it runs."""

from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import hydra
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ae_cls.errors import UsageError, mistakes_in_config
from ae_cls.experiment import configs
from ae_cls.experiment.hints import meant_key
from ae_cls.words.read import no_such_option, parsed, refuse_unknown_options, word_of

_COMPLAINTS = (HydraException, OmegaConfBaseException, YAMLError)


def compose(command: str, words: Sequence[str], folders: Sequence[Path] = ()) -> dict[str, Any]:
    """Plain values that the words compose to; the key `launch` says where jobs are carried out.

    Args:
        command: a word that Hydra composes.
        words: `group=option` and `key=value`, as the user types them.
        folders: the user's own option folders.

    Raises:
        UsageError: the words cannot be composed, one of them names several values, or a value that
            only the user knows is missing.
    """
    config = _composed(command, words, folders)
    _refuse_unknown_keys(command, words, folders)
    try:
        missing = sorted(OmegaConf.missing_keys(config))
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise _not_composed(error) from error
    if missing:
        raise UsageError(
            f"{', '.join(missing)} must be given",
            fix=f"ae-cls {command} " + " ".join(f"{key}=..." for key in missing),
        )
    assert isinstance(plain, dict)
    return _left_to_the_encoder({str(key): value for key, value in plain.items()}, command, words)


def _left_to_the_encoder(
    plain: dict[str, Any], command: str, words: Sequence[str]
) -> dict[str, Any]:
    """For `classify`, without an option's own ways to decode files where no word says them."""
    dataset = plain.get("dataset")
    if command != "classify" or not dataset or "image_size" not in dataset:
        return plain
    said = {word.lstrip("+").partition("=")[0] for word in words}
    unsaid = {key for key in configs.PICTURE_KEYS if f"dataset.{key}" not in said}
    return plain | {"dataset": {k: v for k, v in dataset.items() if k not in unsaid}}


def unresolved(command: str, words: Sequence[str], folders: Sequence[Path] = ()) -> dict[str, Any]:
    """As `compose`, with interpolations and missing values as they are written.

    Raises:
        UsageError: the words cannot be composed, or one of them names several values.
    """
    plain = OmegaConf.to_container(_composed(command, words, folders))
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def as_yaml(
    command: str, words: Sequence[str], folders: Sequence[Path], key: str | None, *, resolve: bool
) -> str:
    """What the words compose to, as the --cfg of Hydra's own programs prints it.

    Args:
        command: a word that Hydra composes.
        words: `group=option` and `key=value`, as the user types them.
        folders: the user's own option folders.
        key: the part to show; None for all.
        resolve: whether to fill in interpolations.

    Raises:
        UsageError: the words cannot be composed, or there is no such key.
    """
    config, absent = _composed(command, words, folders), object()
    part = OmegaConf.select(config, key, default=absent) if key else config
    if part is absent:
        raise UsageError(f"there is no key {key}", where="--package")
    if not OmegaConf.is_config(part):
        return f"{part}\n"
    return f"# @package {key}\n" * bool(key) + OmegaConf.to_yaml(part, resolve=resolve)


def _composed(command: str, words: Sequence[str], folders: Sequence[Path]) -> DictConfig:
    overrides = parsed(words, folders)
    for override in overrides:
        if override.is_sweep_override():
            raise _several_values(command, override)
        if override.is_delete() and not isinstance(override.value(), str | None):
            raise _not_removed(override)
    chosen = [
        (override.key_or_group, override.value() or override.get_value_string())
        for override in overrides
        if _is_group(override, folders) and not isinstance(override.value(), list)
    ]
    refuse_unknown_options(chosen, folders)
    merged, later = _divided(overrides, folders)
    try:
        config = deepcopy(_merged(command, merged, folders))
        for override in later:
            OmegaConf.update(
                config, override.key_or_group, override.value(), merge=True, force_add=True
            )
    except _COMPLAINTS as error:
        raise _as_usage_error(error, command, merged, folders) from error
    return config


def _not_removed(override: Override) -> UsageError:
    key, value = override.key_or_group, override.get_value_string()
    return UsageError(f"~{key} removes no number: {value}", where=f"~{key}={value}", fix=f"~{key}")


def _refuse_unknown_keys(command: str, words: Sequence[str], folders: Sequence[Path]) -> None:
    """Say which keys do not exist before the models are imported, which takes seconds.

    The options' files have every key. Where a value may be wrong as well, nothing is said here: the
    models then name all mistakes at once.
    """
    merged, later = _divided(parsed(words, folders), folders)
    container = OmegaConf.to_container(_merged(command, merged, folders))
    assert isinstance(container, dict)
    known = {str(name): value for name, value in container.items()}
    unknown = [override for override in later if not _has_place(known, override)]
    others = [override for override in later if override not in unknown]
    if not unknown or not all(_looks_right(known, override) for override in others):
        return
    names, elsewhere = list(configs.key_names(known)), partial(configs.keys_of_options, command)
    meant = [meant_key(override.key_or_group, names, elsewhere) for override in unknown]
    pairs = list(zip(unknown, meant, strict=True))
    fix = " ".join(near.words(override.get_value_string()) for override, near in pairs).strip()
    raise mistakes_in_config(
        [near.said(override.key_or_group) for override, near in pairs],
        fix=fix or f"ae-cls {command} --help",
    )


def _has_place(known: Any, override: Override) -> bool:
    """Whether it sets a key that exists, as far as can be told without the models."""
    for part in override.key_or_group.split("."):
        if not isinstance(known, dict):
            return known is None or isinstance(known, list)  # only the models can tell
        if known and part not in known:
            return False
        known = known.get(part)
    return not known or not isinstance(known, dict) or isinstance(override.value(), dict)


def _looks_right(known: Any, override: Override) -> bool:
    """Whether a value is of the default's kind; hardly a number of ours is below 0."""
    for part in override.key_or_group.split("."):
        known = known.get(part) if isinstance(known, dict) else None
    value = override.value()
    if isinstance(value, bool) or isinstance(known, bool):
        return isinstance(value, bool) and isinstance(known, bool)
    if isinstance(value, int | float):
        return value >= 0 and (known is None or type(known) in {type(value), float})
    if configs.is_path_key(override.key_or_group):
        return value is None or isinstance(value, str)
    return type(value) is type(known) and not isinstance(known, dict)


def _divided(
    overrides: list[Override], folders: Sequence[Path]
) -> tuple[list[Override], list[Override]]:
    """What Hydra merges, and the keys that are set after that, as Hydra itself would.

    To read and merge the files takes 0.1 s, to set keys next to nothing: so the jobs of a sweep
    that choose the same options are merged once. A key that is removed (~) is left to Hydra, with
    all words before it.
    """
    last = max((n for n, override in enumerate(overrides, 1) if override.is_delete()), default=0)
    chosen = [word for word in overrides[last:] if _is_group(word, folders)]
    later = [word for word in overrides[last:] if word not in chosen]
    return [*overrides[:last], *chosen], later


def _is_group(override: Override, folders: Sequence[Path]) -> bool:
    return not override.is_delete() and configs.is_group(override.key_or_group, folders)


def _merged(command: str, words: Sequence[Override], folders: Sequence[Path]) -> DictConfig:
    more = ",".join(_quoted(f"file://{folder.resolve()}") for folder in folders)
    return _merged_once(command, (*map(word_of, words), f"hydra.searchpath=[{more}]"))


@lru_cache(maxsize=256)
def _merged_once(command: str, words: tuple[str, ...]) -> DictConfig:
    with hydra.initialize_config_dir(str(configs.config_folder()), version_base="1.3"):
        try:
            return hydra.compose(command, list(words))
        except RecursionError as error:
            raise ConfigCompositionException("an option names itself in its defaults") from error


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _several_values(command: str, override: Override) -> UsageError:
    word = (override.input_line or "").lstrip("+")
    if override.is_interval_sweep():
        fix = f"a search: ae-cls search {command} '{word}'"
        return UsageError(f"{word} names several values", fix=fix)
    fix = f"a sweep over them: ae-cls {command} -m {word}"
    if override.type is OverrideType.FORCE_ADD:  # a key, not a group
        key, value = override.key_or_group, override.get_value_string()
        fix += f"\none list: '{key}=[{value}]'; one text: '{key}=\"{value}\"'"
    return UsageError(f"{word} names several values", fix=fix)


def _as_usage_error(
    error: Exception, command: str, words: Sequence[Override], folders: Sequence[Path]
) -> UsageError:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return no_such_option(group, option, folders)
    if isinstance(error, ConfigCompositionException):
        return _not_chosen(command, words, folders) or _not_composed(error)
    return _not_composed(error)


def _not_chosen(
    command: str, words: Sequence[Override], folders: Sequence[Path]
) -> UsageError | None:
    """The first word whose group has no place in what the others choose."""
    own = configs.groups_of(command)
    chosen = [word for word in words if not (word.is_add() or word.is_delete())]
    for group in (word.key_or_group for word in chosen):
        outer, _, inner = group.rpartition("/")
        if not outer and group not in own:
            return UsageError(
                f"{command} has no group {group}", why=f"its groups are {', '.join(own)}",
                fix=f"ae-cls {command} --help",
            )  # fmt: skip
        if outer and not _has(command, group, chosen, folders):
            return UsageError(
                f"{group} cannot be chosen here", why=f"the chosen {outer} has no option {inner}"
            )
    return None


def _has(command: str, group: str, words: Sequence[Override], folders: Sequence[Path]) -> bool:
    """Whether the other words choose an outer option that has this inner group."""
    others = [word for word in words if word.key_or_group != group]
    try:
        config = _merged(command, others, folders)
    except _COMPLAINTS:
        return True  # then the mistake lies in another word
    return OmegaConf.select(config, group.replace("/", ".")) is not None


def _not_composed(error: Exception) -> UsageError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return UsageError("these words do not make a config", why="\n".join(lines[:4]))
