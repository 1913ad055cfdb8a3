"""Folders of pictures, on disk or only as a list of paths."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from PIL import Image

from ae_cls.dataset.files.image_file import ImageFiles
from ae_cls.dataset.files.listing import Listing


def listed(*paths: str, folders: Iterable[str] = (), root: Path = Path("/root")) -> Listing:
    """The listing of a folder that holds these images, and empty folders, if wanted."""
    above = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    return Listing(root, tuple(sorted(paths)), tuple(sorted({*above, *folders} - {"."})))


def told(found: ImageFiles) -> dict[str, tuple[str, str | None]]:
    """Part and label of each path."""
    return {file.path: (file.part, file.label) for file in found.files}


def pictures_at(root: Path, *paths: str) -> Path:
    """A folder with a small picture at each of these paths."""
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 3 * number % 256).save(root / path)
    return root


def classes(*parents: str, count: int = 2, names: Iterable[str] = ("cat", "dog")) -> list[str]:
    """Paths of some pictures of each class below each of the folders; "" is the root."""
    return [
        f"{parent}/{name}/{number}.png".lstrip("/")
        for parent in parents
        for name in names
        for number in range(count)
    ]
