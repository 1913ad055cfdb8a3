"""Which column of a table is which, by the names that people give them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, final

from ae_cls.dataset.files.parts import letters_of, part_of
from ae_cls.dataset.files.text_table import TextTable
from ae_cls.errors import DataError, did_you_mean, some, typed

Role = Literal["path", "label", "split", "group"]

# In the order of preference: our own word, usual words, words that may mean something else.
_NAMES: dict[Role, tuple[tuple[str, ...], ...]] = {
    "path": (
        ("path",),
        (
            "file", "filename", "filepath", "fname", "image", "imagefile", "imagefilename",
            "imageid", "imagename", "imagepath", "img", "imgid", "imgname", "imgpath", "picture",
            "photo", "relativepath", "relpath", "isicid", "idcode",
        ),
        ("id", "name"),
    ),
    "label": (
        ("label",),
        (
            "labels", "labelname", "class", "classes", "classname", "classlabel", "category",
            "categoryname", "target", "diagnosis", "dx", "species", "breed",
        ),
        ("y", "classid", "labelid", "categoryid", "targetid"),
    ),
    "split": (
        ("split",),
        ("set", "subset", "part", "partition", "phase", "usage", "datasplit", "dataset"),
    ),
    "group": (
        ("group", "groupid"),
        ("patient", "patientid", "subject", "subjectid", "participant", "participantid", "caseid"),
        ("lesion", "lesionid"),
    ),
}  # fmt: skip
SPLITS = frozenset(word for words in _NAMES["split"] for word in words)
"""Letters of the names of columns that say the part of each image."""

_NUMBERS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "0.": 0, "1.": 1, "false": 0, "true": 1}


@final
@dataclass(frozen=True)
class ColumnNames:
    """The names that the user gives; None: found by the usual names.

    Attributes:
        path: of the column of paths.
        label: of the column of labels, or of one column a class.
        split: of the column of parts.
        group: of the column of groups.
    """

    path: str | None = None
    label: str | tuple[str, ...] | None = None
    split: str | None = None
    group: str | None = None


@final
@dataclass(frozen=True)
class Columns:
    """Places of the columns in a row; `label` has several where each class has a column."""

    path: int
    label: tuple[int, ...]
    split: int | None
    group: int | None

    def others(self, count: int) -> list[int]:
        """The places, of so many, that are none of these."""
        used = {self.path, *self.label, self.split, self.group}
        return [place for place in range(count) if place not in used]


def columns_of(table: TextTable, names: ColumnNames) -> Columns:
    """Where each column is.

    Raises:
        DataError: a column is missing, or several could be meant.
    """
    path = _place(table, "path", names.path, ())
    if path is None:
        raise _missing(table, "path")
    group = _place(table, "group", names.group, {path})
    split = _split(table, names.split, {path, group})
    label = _labels(table, names.label, {path, group, split})
    return Columns(path, label, split, group)


def columns_of_groups(names: Sequence[str]) -> list[str]:
    """The columns that are called as groups are, all by words that are equally sure."""
    for words in _NAMES["group"]:
        if found := [name for name in names if letters_of(name) in words]:
            return found
    return []


def one_hot_label(
    table: TextTable, columns: Sequence[int], values: Sequence[str]
) -> tuple[str, str]:
    """The name of the only column that holds 1, or, in second place, what is wrong."""
    names = [table.columns[place] for place in columns]
    numbers = [_NUMBERS.get(values[place].strip().lower()) for place in columns]
    if None in numbers:
        place = numbers.index(None)
        return "", f"{names[place]} holds {values[columns[place]]!r}, not 0 or 1"
    ones = [name for name, number in zip(names, numbers, strict=True) if number]
    if len(ones) == 1:
        return ones[0], ""
    held = f"{' and '.join(some(ones))} are 1" if ones else "no class is 1"
    return "", f"{held}; a row has one class"


def column_notes(table: TextTable, columns: Columns) -> Iterator[str]:
    """What was found under another name than ours, and what is ignored."""
    given: dict[Role, int | None] = {
        "path": columns.path, "split": columns.split, "group": columns.group,
    }  # fmt: skip
    if len(columns.label) == 1:
        given["label"] = columns.label[0]
    else:
        names = ", ".join(some([table.columns[place] for place in columns.label]))
        yield f"{table.file.name}: each class has a column: {names}"
    renamed = [
        f"{role} is the column {table.columns[place]}"
        for role, place in given.items()
        if place is not None and table.columns[place] != role
    ]
    if renamed:
        yield f"{table.file.name}: {', '.join(renamed)}"
    others = [table.columns[place] or '""' for place in columns.others(len(table.columns))]
    if others:
        yield f"{table.file.name}: columns ignored: {', '.join(some(others))}"


def _place(
    table: TextTable, role: Role, given: str | None, used: Collection[int | None]
) -> int | None:
    if given is not None:
        return _given(table, role, given)
    for words in _NAMES[role]:
        places = [
            place
            for place, name in enumerate(table.columns)
            if letters_of(name) in words and place not in used
        ]
        if len(places) > 1:
            raise _several(table, role, [table.columns[place] for place in places])
        if places:
            return places[0]
    return None


def _given(table: TextTable, role: Role, name: str) -> int:
    exact = [place for place, column in enumerate(table.columns) if column == name.strip()]
    alike = [place for place, c in enumerate(table.columns) if letters_of(c) == letters_of(name)]
    places = exact or alike
    if len(places) != 1:
        near = did_you_mean(name, table.columns)
        raise DataError(
            f"{table.file.name} has {'several columns' if places else 'no column'} {name}",
            where=typed(f"dataset.{role}_column", name),
            why=f"its columns are {_told(table.columns)}",
            fix="\n".join([*([near] if near else []), f"dataset.{role}_column=NAME, one of them"]),
        )
    return places[0]


def _split(table: TextTable, given: str | None, used: Collection[int | None]) -> int | None:
    place = _place(table, "split", given, used)
    if place is None or given is not None or letters_of(table.columns[place]) == "split":
        return place
    # A column part may tell which part of the body it is.
    words = {values[place].strip() for _, values in table.rows if place < len(values)}
    return place if any(part_of(word) for word in words) else None


def _labels(
    table: TextTable, given: str | tuple[str, ...] | None, used: Collection[int | None]
) -> tuple[int, ...]:
    if isinstance(given, tuple):
        return tuple(_given(table, "label", name) for name in given)
    place = _place(table, "label", given, used)
    if place is not None:
        return (place,)
    free = [place for place in range(len(table.columns)) if place not in used]
    classes = tuple(
        place for place in free if table.columns[place] and _is_zero_or_one(table, place)
    )
    if len(classes) < 2:
        raise _missing(table, "label")
    return classes


def _is_zero_or_one(table: TextTable, place: int) -> bool:
    values = (values[place] for _, values in table.rows if place < len(values))
    return bool(table.rows) and all(value.strip().lower() in _NUMBERS for value in values)


def _missing(table: TextTable, role: Role) -> DataError:
    own = ", ".join(_NAMES[role][0] + _NAMES[role][1][:4])
    return DataError(
        f"{table.file.name} has no column that is known to hold the {role}",
        where=f"{table.file}, line 1",
        why=f"its columns are {_told(table.columns)}; usual names are {own}, ...",
        fix=f"dataset.{role}_column=NAME\nif line 1 is a row: put path,label above it",
    )


def _several(table: TextTable, role: Role, names: Sequence[str]) -> DataError:
    return DataError(
        f"{table.file.name} has several columns that may hold the {role}",
        where=f"{table.file}, line 1",
        why=", ".join(names),
        fix="\nor ".join(typed(f"dataset.{role}_column", name) for name in names)
        if len(set(names)) == len(names)
        else f"another name for all but one column {names[0]}",
    )


def _told(columns: Sequence[str]) -> str:
    return ", ".join(some([column or '""' for column in columns])) or "none"
