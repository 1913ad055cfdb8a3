"""Files of published data sets: found on this machine, or fetched if that is asked for."""

import http.client
import os
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import platformdirs

from ae_cls.errors import DataError, StorageError, typed
from ae_cls.machine.network import bounded_waits
from ae_cls.store.places import at_home


def data_folder(root: str | None) -> Path:
    """`root` if one is given, else AE_CLS_DATA, else the user's data folder.

    A folder below the present one is given as a person there would type it.
    """
    given = os.environ.get("AE_CLS_DATA") if root is None else root
    if not given:
        return platformdirs.user_data_path("ae-cls", appauthor=False)
    path, here = Path(at_home(given)), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@final
@dataclass(frozen=True)
class Published:
    """A data set that somebody else publishes.

    Attributes:
        name: the word of the config group.
        files: all of them are needed.
        fetch: downloads into an empty folder, in the layout that the first of `below` names.
        below: folders below the root where the files may be; the first that has all of them wins.
        elsewhere: where else to look if no root is given.
        are_idx: whether they are idx files, which may also be there as `<file>.gz`, and with a dot
            before idx: both train-images-idx3-ubyte and train-images.idx3-ubyte are about.
    """

    name: str
    files: tuple[str, ...]
    fetch: Callable[[Path], object]
    below: tuple[str, ...] = (".",)
    elsewhere: tuple[Path, ...] = ()
    are_idx: bool = False

    def find(self, root: str | None, *, download: bool) -> tuple[Path, ...]:
        """The files, in the order of `files`.

        Raises:
            DataError: some are missing, or cannot be fetched.
            StorageError: fetched files cannot be written.
        """
        paths = self._look(root)
        if not paths and download:
            self._download(data_folder(root))
            paths = self._look(root)
        if not paths:
            raise self._missing(root)
        return paths

    def _look(self, root: str | None) -> tuple[Path, ...]:
        for folder in self._folders(root):
            paths = [self._spelt(folder / file) for file in self.files]
            if all(path.is_file() for path in paths):
                return tuple(paths)
        return ()

    def _spelt(self, path: Path) -> Path:
        """The file under the first of its spellings that is there."""
        names = [path.name, path.name.replace("-idx", ".idx")] if self.are_idx else [path.name]
        ends = ("", ".gz") if self.are_idx else ("",)
        spellings = [path.with_name(name + end) for name in names for end in ends]
        return next((spelling for spelling in spellings if spelling.is_file()), path)

    def _folders(self, root: str | None) -> list[Path]:
        elsewhere = self.elsewhere if root is None else ()
        return [*(data_folder(root) / below for below in self.below), *elsewhere]

    def _download(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Each file appears under its name by one rename: half a file is never read.
            with bounded_waits(), TemporaryDirectory(prefix=".fetching-", dir=folder) as staging:
                self.fetch(Path(staging))
                _move_files(Path(staging), folder)
        except (RuntimeError, *_NETWORK_ERRORS) as error:
            raise self._unfetched(folder, str(error)) from error
        except OSError as error:
            raise StorageError(
                f"{self.name} cannot be stored", where=str(folder), why=str(error),
                fix="dataset.root=FOLDER or AE_CLS_DATA=FOLDER, with room in it",
            ) from error  # fmt: skip

    def _missing(self, root: str | None) -> DataError:
        packed = " (or packed, as .gz)" if self.are_idx else ""
        given = "" if root is None else " " + typed("dataset.root", root)
        return DataError(
            f"the files of {self.name} are missing",
            where=", ".join(str(folder) for folder in self._folders(root)),
            why=f"expected in one of these folders{packed}: {', '.join(self.files)}",
            fix=f"ae-cls run dataset={self.name} dataset.download=true{given}",
        )

    def _unfetched(self, folder: Path, why: str) -> DataError:
        return DataError(
            f"{self.name} cannot be downloaded",
            where=str(folder / self.below[0]),
            why=why,
            fix=f"try again, or put these files there yourself: {', '.join(self.files)}",
        )


_NETWORK_ERRORS = (
    urllib.error.URLError,
    ConnectionError,
    TimeoutError,
    http.client.HTTPException,
)


def _move_files(source: Path, target: Path) -> None:
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        final_path = target / file.relative_to(source)
        final_path.parent.mkdir(parents=True, exist_ok=True)
        file.replace(final_path)


@contextmanager
def reading(name: str, files: tuple[Path, ...]) -> Iterator[None]:
    """Turn whatever torchvision raises on damaged files into a DataError that names them."""
    try:
        yield
    except (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"a file of {name} is damaged or another file",
            where=", ".join(str(file) for file in files),
            why=str(error),
            fix="move the files out of the folder and fetch them again with dataset.download=true",
        ) from error
