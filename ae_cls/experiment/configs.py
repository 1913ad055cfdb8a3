"""What the configs folder holds, read without Hydra: groups, options, what each says of itself."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[1]


def config_folder() -> Path:
    """Inside the package when installed from a wheel, beside it in a checkout."""
    inside = _PACKAGE / "configs"
    return inside if inside.is_dir() else _PACKAGE.parent / "configs"


def is_group(name: str, folders: Sequence[Path]) -> bool:
    """Whether one of the folders has options for it; a nested name has slashes."""
    return bool(name) and any(_options_in(folder / name) for folder in folders)


def options(group: str, folders: Sequence[Path]) -> list[str]:
    """The words that may stand behind `group=`, by code point."""
    return sorted({option for folder in folders for option in _options_in(folder / group)})


def groups(folders: Sequence[Path]) -> list[str]:
    """All groups, nested ones as `group/inner`, by code point."""
    return sorted({name for folder in folders for name in _groups_in(folder)})


def groups_of(command: str) -> dict[str, str]:
    """The groups that a command chooses from, in its order, each with its default option."""
    defaults = read_yaml(config_folder() / f"{command}.yaml")["defaults"]
    chosen = [entry for entry in defaults if isinstance(entry, dict)]
    return {
        group: option for entry in chosen for group, option in entry.items() if group.isidentifier()
    }


def first_comment(path: Path) -> str:
    """What the file says of itself in its first line."""
    with path.open(encoding="utf-8") as file:
        line = file.readline().strip()
    return line.lstrip("# ") if line.startswith("#") else ""


def read_yaml(path: Path) -> dict[str, Any]:
    """The plain values of a config file."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _options_in(folder: Path) -> list[str]:
    return [path.stem for path in folder.glob("*.yaml")]


def _groups_in(folder: Path, above: str = "") -> Iterator[str]:
    for inner in folder.iterdir():
        if inner.is_dir():
            if _options_in(inner):
                yield above + inner.name
            yield from _groups_in(inner, f"{above}{inner.name}/")
