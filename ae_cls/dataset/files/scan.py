"""What lies in a folder and below: images, other files, and what is no part of the data."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, final

from ae_cls.dataset.files.decode import SUFFIXES
from ae_cls.errors import DataError
from ae_cls.store.places import cache_folder

Links = Literal["refuse", "follow"]
"""What is done about links to folders, and to files elsewhere."""

# Systems, file servers and programs make these, never a person; and every name with a dot first.
_OF_SYSTEMS = re.compile(
    r"\..*|__macosx|__pycache__|thumbs\.db|ehthumbs.*\.db|desktop\.ini|icon\r"
    r"|\$recycle\.bin|recycler|recycled|system volume information|found\.\d{3}|lost\+found"
    r"|@eadir|@recycle|@recently-snapshot|@tmp|@sharebin|#recycle|#snapshot|~snapshot"
    r"|lost\.dir|msocache|_gsdata_|_vti_cnf|.*@syno(?:eastream|resource)|.*:zone\.identifier"
    r"|node_modules|bower_components|jspm_packages|venv|virtualenv|site-packages|.*\.egg-info"
    r"|.*\.dist-info|cmakefiles|wandb|mlruns|lightning_logs"
    r"|network trash folder|temporary items|zbthumbnail\.info|pspbrwse\.jbf|picasa\.ini",
    re.IGNORECASE,
)
# By these we know what ae-cls wrote: a run, an entry of the store.
_OF_OURS = ({"status.json", "config.json"}, {"key.json", "manifest.json"})


@final
@dataclass(frozen=True)
class Scan:
    """What was found below a folder, in the order in which it was found.

    Attributes:
        folder: where it was looked.
        images: files with the suffix of an image; links, pipes and the like among them.
        others: all other files.
        folders: all of them, but for those in `hidden` and `ours`.
        hidden: files and folders that systems make, not people.
        ours: folders that ae-cls wrote: runs, and its store.
        unfollowed: links to folders, in `folders` too, that were not entered.
        loops: links to a folder that they lie in, which were not entered.
    """

    folder: Path
    images: tuple[Path, ...]
    others: tuple[Path, ...]
    folders: tuple[Path, ...]
    hidden: tuple[Path, ...]
    ours: tuple[Path, ...]
    unfollowed: tuple[Path, ...]
    loops: tuple[Path, ...]


def scan(folder: Path, links: Links = "refuse", but: Path | None = None) -> Scan:
    """Everything below `folder` but one file; what systems or ae-cls made is not entered.

    Raises:
        DataError: the folder or one in it cannot be read.
    """
    found: dict[str, list[Path]] = {name: [] for name in Scan.__annotations__ if name != "folder"}
    cache, passed = cache_folder().resolve(), but.resolve() if but else None
    follow = links == "follow"
    for name, below, names in os.walk(folder, followlinks=follow, onerror=_raise):
        place = Path(name)
        if place != folder and _is_ours(place, names, cache):
            found["ours"].append(place)
            below.clear()
            continue
        found["hidden"] += [place / name for name in (*below, *names) if _of_a_system(name)]
        below[:] = [name for name in below if not _of_a_system(name)]
        linked = [place / name for name in below if (place / name).is_symlink()]
        loops = [path for path in linked if follow and _leads_back(path, folder)]
        below[:] = [name for name in below if place / name not in loops]
        found["loops"] += loops
        found["unfollowed"] += [] if follow else linked
        found["folders"] += [place / name for name in below]
        for path in (place / name for name in names if not _of_a_system(name)):
            if passed is None or path.name != passed.name or path.resolve() != passed:
                found["images" if path.suffix.lower() in SUFFIXES else "others"].append(path)
    found["folders"] = list(_of_people(found["folders"], found["images"], found["ours"]))
    return Scan(folder, **{name: tuple(paths) for name, paths in found.items()})


def _of_a_system(name: str) -> bool:
    return _OF_SYSTEMS.fullmatch(name) is not None


def _is_ours(place: Path, names: list[str], cache: Path) -> bool:
    return any(signs <= set(names) for signs in _OF_OURS) or place.resolve() == cache


def _leads_back(link: Path, folder: Path) -> bool:
    """Whether it leads to a folder on the way to it, or above one, links on the way included."""
    target = link.resolve()
    way = [path for path in link.parents if path.is_relative_to(folder)]
    return any(path.resolve().is_relative_to(target) for path in way)


def _of_people(folders: list[Path], images: list[Path], ours: list[Path]) -> Iterator[Path]:
    """Without the folders that hold nothing but what is ours, such as outputs/run."""
    above_ours = {folder for path in ours for folder in (path, *path.parents)}
    above_images = {folder for path in images for folder in path.parents}
    return (path for path in folders if path in above_images or path not in above_ours)


def _raise(error: OSError) -> NoReturn:
    raise DataError(
        "a folder cannot be read", where=str(error.filename), why=str(error.strerror),
        fix=f"chmod u+rX {shlex.quote(str(error.filename))}",
    ) from error  # fmt: skip
