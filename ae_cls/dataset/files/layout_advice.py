"""What is said of folders that follow no known layout: what they look like, and what to type."""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from ae_cls.dataset.files.decode import SUFFIXES
from ae_cls.dataset.files.listing import Listing, by_suffix
from ae_cls.dataset.files.parts import part_of
from ae_cls.dataset.table import PartName
from ae_cls.errors import DataError, some, typed

# What a name may say of the class: all before the number, the first word, the last word.
_IN_NAMES = (
    r"([^/]+?)[\s._-]*\(?\d+\)?\.[^/.]+$",
    r"([^/\s._-]+)[\s._-][^/]*$",
    r"[\s._-]([^/\s._-]+)\.[^/.]+$",
)
_LOOKED_AT = 50  # entries of a folder beside the root
_NAMES_LOOKED_AT = 1000
# The part within the name of the first folder, the class as the folder that the file lies in.
_PART_WITHIN = (
    r"^(?i:[^/]*?(?P<part>training|train|validation|valid|val|testing|test)[^/]*)"
    r"/(?:[^/]+/)*(?P<label>[^/]+)/[^/]+$"
)


def same_part(listing: Listing, part: PartName, folders: Sequence[str]) -> DataError:
    """Two folders for one part."""
    return _error(
        listing,
        f"{_and(folders)} both mean {part}",
        f"put the images of both into one folder {part}, or rename one",
    )


def beside_train(
    listing: Listing, parts: Mapping[str, PartName], others: Sequence[str]
) -> DataError:
    """Folders that are no parts, beside one that is for training."""
    train = _folder_of("train", parts)
    return _error(
        listing,
        f"beside {train} there is {', '.join(some(others))}",
        "move what is no part out of the folder; the parts are train, valid, test and unlabelled\n"
        f"{_parts_from_names(listing.files)}if {_and([*parts, *some(others, 3)])} are the classes: "
        + typed("dataset.label_pattern", "^([^/]+)/"),
    )


def loose_beside(listing: Listing, loose: Sequence[str], what: str, where: str) -> DataError:
    """Images beside the folders, in none of them."""
    return _error(
        listing,
        f"{loose[0]} lies beside {what}" + _as_do(loose),
        f"move it to {where}, to unlabelled/FILE if its class is unknown, or out of the folder\n"
        f"{_loose_unlabelled(what)}"
        f"or write a table of labels; images without a row are unlabelled:\n{_example(loose)}",
    )


def _loose_unlabelled(what: str) -> str:
    """A line with the word by which images in no class folder are unlabelled."""
    pattern = "^([^/]+)/" if what == "the class folders" else "^(?P<part>[^/]+)/(?P<label>[^/]+)/"
    word = typed("dataset.label_pattern", pattern)
    return f"or leave them where they are, unlabelled: {word}\n"


def no_train(listing: Listing, parts: Mapping[str, PartName], classes: Sequence[str]) -> DataError:
    """Parts without one for training."""
    labelled = sorted(folder for folder, part in parts.items() if part != "unlabelled")
    above = _above(listing.folder)
    if any(part_of(name) == "train" for name in _folders_in(above)):
        fix = f"{typed('dataset.root', above)}, the folder above, which has a part for training"
    elif classes:
        either = "|".join(map(re.escape, labelled))
        pattern = f"^(?P<part>(?:{either})/)?(?P<label>[^/]+)/"
        fix = f"move {_and(some(classes, 3))} into a folder train\n" + (
            f"or, all that is not in {_and(labelled)} being for training: "
            + typed("dataset.label_pattern", pattern)
        )
    else:
        fix = "give the folder above that of training, or name one of the folders train"
    why = f"there is {_and(labelled)} but no train" + (
        f", beside {', '.join(some(classes))}" if classes else ""
    )
    return _error(listing, why, fix)


def no_class_folder(
    listing: Listing, parts: Mapping[str, PartName], flat: Sequence[str]
) -> DataError:
    """Images that lie in a part, but in no class folder of it."""
    why = f"{flat[0]} lies in no class folder of a part" + _as_do(flat)
    train = _folder_of("train", parts)
    folders = sorted({path.split("/")[0] for path in flat})
    if train not in folders:
        root = typed("dataset.root", listing.folder / train)
        model = shlex.quote(str(listing.folder / folders[0]))
        fix = f"{root}, and a test part is drawn from it\n" + (
            f"images without a class are for a finished model: ae-cls predict MODEL {model}\n"
            f"if their classes are known, a table of labels:\n{_example(flat)}"
        )
        return _error(listing, why, fix)
    pattern = _pattern_for(flat)
    return _error(listing, why, f"{pattern}\nor {_table(flat)}" if pattern else _table(flat))


def looks_like_parts(listing: Listing, folders: Sequence[str], within: str = "") -> DataError:
    """Class folders that are called like parts."""
    shown = [f"{within}/{folder}" if within else folder for folder in folders]
    classes = "^([^/]+)/" if not within else f"^{re.escape(within)}/([^/]+)/"
    example = _example_with_parts([path for path in listing.files if path.split("/")[1:]])
    return _error(
        listing,
        f"{', '.join(some(shown))}: these look like parts",
        "name them train and test, or train, valid and test, one folder a part\n"
        f"{_parts_from_names(listing.files)}"
        f"or write a table of labels with a column split:\n{example}\n"
        f"if they are the classes: {typed('dataset.label_pattern', classes)}",
    )


def all_within(listing: Listing, folder: str) -> tuple[str, list[str]] | None:
    """The one folder below `folder` that holds all the rest, as several folders; None if none does.

    `folder` is relative and empty for the root; a folder of unlabelled images does not count.
    """
    inside = [name for name in folders_with_images(listing, folder) if _counts(folder, name)]
    if len(inside) != 1 or folder in listing.image_folders:
        return None
    inner = f"{folder}/{inside[0]}" if folder else inside[0]
    folders = folders_with_images(listing, inner)
    if len(folders) > 1 and inner not in listing.image_folders:
        return inner, folders
    return all_within(listing, inner)


def _counts(folder: str, name: str) -> bool:
    return bool(folder) or part_of(name) != "unlabelled"


def wrapped(
    listing: Listing, found: tuple[str, Sequence[str]], unlabelled: Collection[str]
) -> DataError:
    """One folder holds all the class folders."""
    folder, inside = found
    root = typed("dataset.root", listing.folder / folder)
    if unlabelled:
        pattern = typed("dataset.label_pattern", f"^{re.escape(folder)}/([^/]+)/")
        root = f"{pattern}, which leaves {_and(sorted(unlabelled))} unlabelled"
    return DataError(
        f"one class only, {folder.split('/')[0]}",
        where=typed("dataset.root", listing.folder),
        why=f"{folder} has the {_folders(inside)}",
        fix=root,
    )


def wrapped_in_a_part(listing: Listing, part: str, found: tuple[str, Sequence[str]]) -> DataError:
    """One folder of the training part holds all the class folders."""
    folder, inside = found
    between = folder.removeprefix(f"{part}/")
    pattern = f"^[^/]+/{re.escape(between)}/([^/]+)/"
    return DataError(
        f"one class only, {between.split('/')[0]}",
        where=typed("dataset.root", listing.folder),
        why=f"{folder} has the {_folders(inside)}",
        fix=typed("dataset.label_pattern", pattern),
    )


def parts_within_classes(listing: Listing, classes: Sequence[str]) -> DataError:
    """Each class folder holds parts."""
    inside = [name for name in folders_with_images(listing, classes[0]) if part_of(name)]
    return _error(
        listing,
        f"the {_folders(inside)} of {classes[0]} look like parts" + _as_do(classes),
        typed("dataset.label_pattern", "^(?P<label>[^/]+)/(?P<part>[^/]+)/")
        + f"\nor, if {classes[0]} is a data set of its own: "
        + typed("dataset.root", listing.folder / classes[0]),
    )


def empty_folders(listing: Listing, empty: Sequence[str]) -> DataError:
    """Folders for images without one."""
    others = [path for folder in empty for path in listing.others if path.startswith(f"{folder}/")]
    held = [
        f"{len(paths)} {suffix or 'without suffix'}" for suffix, paths in by_suffix(others).items()
    ]
    what = "class folder holds" if len(empty) == 1 else "class folders hold"
    return DataError(
        f"{len(empty)} {what} no image",
        where=", ".join(some(empty)),
        why=f"other files are there: {', '.join(some(held))}" if held else "",
        fix="put images there, or move the folders out of "
        f"{listing.folder}; images are {' '.join(SUFFIXES)}",
    )


def notes_of_the_place(
    listing: Listing, parts: Mapping[str, PartName], classes: Sequence[str]
) -> Iterator[str]:
    """What makes it likely that another folder was meant."""
    above, own = _above(listing.folder), listing.folder.resolve().name
    beside = [name for name in _folders_in(above) if name != own]
    meant = typed("dataset.root", above)
    sisters = [name for name in beside if part_of(name) not in (None, "unlabelled", part_of(own))]
    if part_of(own) not in (None, "unlabelled") and sisters and not parts:
        yield f"{own} is called like a part, and {_and(sisters)} lies beside it: {meant} takes both"
    elif not parts and not classes:
        if pattern := _pattern_for(listing.files):
            yield f"no image has a label, as there are no class folders; {pattern}"
        like = [name for name in islice(beside, _LOOKED_AT) if _has_images(above / name)]
        if like:
            them = _and(some(like, 3))
            yield f"{own} has no class folders; if it is a class itself, like {them}: {meant}"
    tables = [name for name in listing.others if name.lower().endswith((".csv", ".tsv"))]
    if tables and not parts and len(classes) < 2:
        yield f"if {tables[0]} holds the labels: {typed('dataset.labels_csv', tables[0])}"
    yield from _notes_of_uneven_classes(listing, classes)
    yield from _notes_of_folders_in_all(listing, classes)


def _notes_of_uneven_classes(listing: Listing, classes: Sequence[str]) -> Iterator[str]:
    direct = {path.split("/")[0] for path in listing.files if path.count("/") == 1}
    for name in sorted(set(classes) - direct) if direct else ():
        inside = folders_with_images(listing, name)
        if len(inside) > 1:
            root = typed("dataset.root", listing.folder / name)
            yield (
                f"the class {name} holds no image itself, but the {_folders(inside)}; "
                f"if these are the classes: {root}"
            )


def _notes_of_folders_in_all(listing: Listing, classes: Sequence[str]) -> Iterator[str]:
    """Parts may be called anything, as in another language; that they hold the same shows them."""
    held = {tuple(folders_with_images(listing, name)) for name in classes}
    if len(classes) < 2 or len(held) > 1 or listing.image_folders & set(classes):
        return
    (inside,) = held
    if len(inside) > 1:
        yield (
            f"each of the classes {_and(some(classes))} holds the {_folders(inside)}; if these are "
            f"the classes: {typed('dataset.label_pattern', '^[^/]+/([^/]+)/')}; if the others are "
            "parts: name them train, valid and test"
        )


def folders_with_images(listing: Listing, folder: str) -> list[str]:
    """Names of the folders directly in `folder`, which is relative, that have an image below."""
    return sorted(listing.folders_above_images.get(folder, ()))


def class_in_names(paths: Sequence[str]) -> str | None:
    """The regular expression that finds the fewest classes in these names, two images in each.

    Of many names some are looked at, from the first to the last: sorted ones begin with one class.
    """
    seen = paths[:: 1 + len(paths) // _NAMES_LOOKED_AT]
    fitting = [
        (len(set(found)), pattern) for pattern in _IN_NAMES if (found := _all(pattern, seen))
    ]
    return min(fitting, default=(0, None), key=lambda fit: fit[0])[1]


def _all(pattern: str, paths: Sequence[str]) -> list[str]:
    """What it finds in each path; nothing unless these may be classes."""
    found = [match[1] for path in paths if (match := re.search(pattern, path))]
    counts = Counter(found)
    fits = len(found) == len(paths) and len(counts) > 1 and min(counts.values()) > 1
    return found if fits else []


def _pattern_for(paths: Sequence[str]) -> str:
    """Which classes the names may hold, and the word that reads them; empty if they hold none."""
    pattern = class_in_names(paths)
    if pattern is None:
        return ""
    labels = sorted({match[1] for path in paths if (match := re.search(pattern, path))})
    word = typed("dataset.label_pattern", pattern)
    return f"if the classes are {', '.join(some(labels))}: {word}"


def _parts_from_names(paths: Sequence[str]) -> str:
    """A line with the word that reads part and class from folders such as cifar_train."""
    found = [re.search(_PART_WITHIN, path) for path in paths]
    labels: dict[PartName | None, set[str]] = defaultdict(set)
    for match in found:
        labels[part_of(match["part"]) if match else None].add(match["label"] if match else "")
    classes = labels["train"]
    known = all(there <= classes for there in labels.values())
    if None in labels or len(classes) < 2 or not known or any(map(part_of, classes)):
        return ""
    word = typed("dataset.label_pattern", _PART_WITHIN)
    return f"or, if the classes are {', '.join(some(sorted(classes)))}: {word}\n"


def _table(paths: Sequence[str]) -> str:
    return f"a table of labels, dataset.labels_csv=labels.csv in the folder:\n{_example(paths)}"


def _example_with_parts(paths: Sequence[str]) -> str:
    """The first lines of a table of labels and parts, as far as the folders say them."""
    lines = ["path,label,split"]
    for path in (paths[0], paths[-1])[: len(paths)]:
        match, parent = re.search(_PART_WITHIN, path), path.split("/")[-2]
        label = "CLASS" if part_of(parent) or path.count("/") == 1 else parent
        lines.append(f"{path},{label},{match['part'].lower() if match else 'PART'}")
    return "\n".join(f"  {line}" for line in lines)


def _example(paths: Sequence[str]) -> str:
    """The first lines of a table of labels for these files."""
    pattern = class_in_names(paths)
    lines = ["path,label"]
    for path in (paths[0], paths[-1])[: len(paths)]:
        match = re.search(pattern, path) if pattern else None
        lines.append(f"{path},{match[1] if match else 'CLASS'}")
    return "\n".join(f"  {line}" for line in lines)


def _above(folder: Path) -> Path:
    return folder.parent if folder.name not in ("", "..") else folder.resolve().parent


def _folders_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def _has_images(folder: Path) -> bool:
    try:
        return any(path.suffix.lower() in SUFFIXES for path in islice(folder.iterdir(), _LOOKED_AT))
    except OSError:
        return False


def _folder_of(part: PartName, parts: Mapping[str, PartName]) -> str:
    return next(folder for folder, other in parts.items() if other == part)


def _as_do(names: Sequence[str]) -> str:
    return f", as do {len(names) - 1} more" if len(names) > 1 else ""


def _folders(names: Sequence[str]) -> str:
    return f"folders {_and(some(names))}"


def _and(names: Iterable[str]) -> str:
    *first, last = names
    if last.startswith("and "):  # so `some` ends a list that it has cut
        return ", ".join([*first, last])
    return f"{', '.join(first)} and {last}" if first else last


def _error(listing: Listing, why: str, fix: str) -> DataError:
    return DataError(
        "the folders follow no known layout",
        where=typed("dataset.root", listing.folder),
        why=why,
        fix=fix,
    )
