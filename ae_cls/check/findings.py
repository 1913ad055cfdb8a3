"""What was found in a data set: plain values, of which pages and files are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from ae_cls.dataset.contract import ImageShape


@final
@dataclass(frozen=True)
class Refusal:
    """Why a run would end before it begins; as the error says it, with the exit code."""

    code: int
    what: str
    where: str
    why: str
    fix: str


@final
@dataclass(frozen=True)
class ClassCounts:
    """Images of one class in each part, as they will be split."""

    name: str
    train: int
    valid: int
    test: int

    @property
    def total(self) -> int:
        """In all parts."""
        return self.train + self.valid + self.test


@final
@dataclass(frozen=True)
class Files:
    """What the image files hold.

    Attributes:
        smallest: height and width in pixels of the picture with the fewest pixels.
        median: height and width in pixels, each the median of its own.
        largest: height and width in pixels of the picture with the most pixels.
        sizes: how many different ones.
        bands: files by how many numbers they hold a pixel.
        depths: files by bits of a number.
        formats: files by format.
    """

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    sizes: int
    bands: Mapping[str, int]
    depths: Mapping[str, int]
    formats: Mapping[str, int]


@final
@dataclass(frozen=True)
class BadFile:
    """A file without an image."""

    path: str
    why: str


@final
@dataclass(frozen=True)
class Picture:
    """One row of the data set.

    Attributes:
        row: in the table of images.
        name: its path, or its row where images were no files.
        label: its class; empty where it has none.
        part: train, valid, test or unlabelled.
    """

    row: int
    name: str
    label: str
    part: str


@final
@dataclass(frozen=True)
class CopySet:
    """Pictures that are copies of each other, and whether all their pixels are equal."""

    pictures: tuple[Picture, ...]
    equal: bool

    @property
    def across(self) -> bool:
        """Whether they lie in more than one part."""
        return len({picture.part for picture in self.pictures}) > 1

    @property
    def labels_differ(self) -> bool:
        """Whether they have more than one label."""
        return len({picture.label for picture in self.pictures if picture.label}) > 1


@final
@dataclass(frozen=True)
class CopyFindings:
    """All sets of copies, and whether nearly equal pictures were looked for, too."""

    sets: tuple[CopySet, ...]
    compared: bool


@final
@dataclass(frozen=True)
class Groups:
    """Groups of rows, such as those of one patient.

    Attributes:
        count: of groups.
        largest: rows of the largest one.
        alone: rows that are in no group.
        across: groups that lie in more than one part.
    """

    count: int
    largest: int
    alone: int
    across: int


@final
@dataclass(frozen=True)
class Balance:
    """How unequal the classes are, among training labels.

    Attributes:
        most: the most frequent class.
        share: its share, from 0 to 1.
        rarest: the rarest class, and how many images it has.
        warnings: what makes numbers weak, one sentence each.
        is_unequal: whether some class is rare.
    """

    most: str
    share: float
    rarest: str
    rarest_count: int
    warnings: tuple[str, ...]
    is_unequal: bool


@final
@dataclass(frozen=True)
class Suspect:
    """A picture whose label a quick classifier, which never saw it, does not believe.

    Attributes:
        picture: with the label it was given.
        predicted: the class it looks like.
        probability: of that class, from 0 to 1.
        given: probability of the label it has, from 0 to 1.
    """

    picture: Picture
    predicted: str
    probability: float
    given: float


@final
@dataclass(frozen=True)
class SuspectFindings:
    """Labels that look wrong, the most doubtful first.

    Attributes:
        suspects: as many as are estimated to be wrong.
        judged: rows that were looked at.
        accuracy: of the quick classifier on rows that it never saw, from 0 to 1.
        why_not: why labels, or some of them, were not judged; empty where all were.
    """

    suspects: tuple[Suspect, ...]
    judged: int
    accuracy: float
    why_not: str


@final
@dataclass(frozen=True)
class Advice:
    """A word of the command line that suits these images better, and the reason."""

    word: str
    why: str


@final
@dataclass(frozen=True)
class Findings:
    """All that can be said of a data set without training; what could not be seen is None or empty.

    Attributes:
        dataset: the word of the config group.
        refusals: why a run would end before it begins.
        images: how many there are.
        image_shape: channels, height and width in pixels, as the network is given them.
        classes: in the order of the class index.
        unlabelled: rows without a label, which only pretraining may use.
        files: what was seen in the image files; None where images were no files.
        bad: files that cannot be decoded.
        notes: what was noticed or decided while reading, one sentence each.
        one_colour: pictures that show one colour only, after decoding.
        copies: pictures that are there more than once.
        groups: None where there are none.
        balance: None where there are not at least two classes.
        suspects: labels that look wrong; None where there are not at least two classes.
        advice: words that suit these images better.
        command: what to run next.
    """

    dataset: str
    refusals: tuple[Refusal, ...]
    command: str
    images: int = 0
    image_shape: ImageShape | None = None
    classes: tuple[ClassCounts, ...] = ()
    unlabelled: int = 0
    files: Files | None = None
    bad: tuple[BadFile, ...] = ()
    notes: tuple[str, ...] = ()
    one_colour: tuple[Picture, ...] = ()
    copies: CopyFindings = CopyFindings((), compared=True)
    groups: Groups | None = None
    balance: Balance | None = None
    suspects: SuspectFindings | None = None
    advice: tuple[Advice, ...] = ()
