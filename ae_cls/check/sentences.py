"""What the findings mean, in sentences: the same on the terminal and on the page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, final

from ae_cls.check.findings import CopyFindings, Files, Findings, Groups, SuspectFindings
from ae_cls.errors import some

Weight = Literal["refused", "wrong", "look", "fine"]
"""A run would end; its result would be wrong; worth a look; nothing was found."""


@final
@dataclass(frozen=True)
class Sentence:
    """One finding for people: how heavy it is, what it is, the details, and what to do."""

    weight: Weight
    what: str
    why: str = ""
    fix: str = ""


def sentences(found: Findings) -> tuple[Sentence, ...]:
    """All of them, the heaviest first."""
    said = [
        *_refusals(found),
        *_bad(found),
        *_copies(found.copies, found.images),
        *_groups(found.groups),
        *_one_colour(found),
        *_balance(found),
        *_suspects(found.suspects),
        *(Sentence("look", note) for note in found.notes),
    ]
    order: tuple[Weight, ...] = ("refused", "wrong", "look", "fine")
    return tuple(sorted(said, key=lambda one: order.index(one.weight)))


def facts(found: Findings) -> tuple[tuple[str, str], ...]:
    """What the data set holds, as pairs of a title and a text."""
    rows = [("images", f"{found.images:,}{_unlabelled(found)}")]
    if found.classes:
        rows.append(("classes", f"{len(found.classes):,}"))
    if found.balance:
        most = f"{found.balance.most} {100 * found.balance.share:.1f} %"
        rarest = f"{found.balance.rarest} {found.balance.rarest_count:,}"
        rows.append(("balance", f"most frequent in training: {most}; rarest: {rarest}"))
    if found.image_shape:
        channels, height, width = found.image_shape
        kind = "grey" if channels == 1 else "colour"
        rows.append(("network sees", f"{height} × {width} pixels, {kind}"))
    return (*rows, *(_of_files(found.files) if found.files else ()))


def _unlabelled(found: Findings) -> str:
    return f", of which {found.unlabelled:,} have no label" if found.unlabelled else ""


def _of_files(files: Files) -> Iterator[tuple[str, str]]:
    if files.sizes == 1:
        yield "files hold", f"{_size(files.median)} pixels"
    else:
        ends = f"{_size(files.smallest)} to {_size(files.largest)}"
        yield "files hold", f"{ends} pixels, median {_size(files.median)}; {files.sizes:,} sizes"
    yield "formats", _counts(files.formats)
    bands = {
        f"{count} {'band' if count == '1' else 'bands'}": n for count, n in files.bands.items()
    }
    yield "numbers", f"{_counts(bands)}; {_counts(files.depths)}"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]:,} × {size[1]:,}"


def _counts(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(some([f"{name} ({count:,})" for name, count in counts.items()], 6))


def _refusals(found: Findings) -> Iterator[Sentence]:
    for refusal in found.refusals:
        why = "\n".join(text for text in (refusal.where, refusal.why) if text)
        yield Sentence("refused", refusal.what, why, refusal.fix)


def _bad(found: Findings) -> Iterator[Sentence]:
    if not found.bad:
        return
    one = len(found.bad) == 1
    yield Sentence(
        "wrong",
        f"{len(found.bad):,} {'file' if one else 'files'} cannot be decoded",
        "\n".join(some([f"{bad.path}: {bad.why}" for bad in found.bad])),
        f"replace {'it' if one else 'them'}, or leave {'it' if one else 'them'} out and have "
        f"{'it' if one else 'them'} counted: dataset.on_bad=skip",
    )


def _copies(copies: CopyFindings, images: int) -> Iterator[Sentence]:
    across = [one for one in copies.sets if one.across]
    differing = [one for one in copies.sets if one.labels_differ]
    rows = sum(len(one.pictures) for one in copies.sets)
    if across:
        yield Sentence(
            "wrong",
            f"{_sets(len(across))} of copies {_lie(len(across))} in more than one part "
            f"({sum(len(one.pictures) for one in across):,} images)",
            "what is measured on a picture that was learnt from is too good",
            "keep the pictures of each set in one part: the column across of copies.csv",
        )
    if differing:
        yield Sentence(
            "wrong",
            f"{_sets(len(differing))} of copies {_have(len(differing))} more than one label",
            "only one of them can be right, unless an image may belong to several classes",
            "settle which one: the column labels_differ of copies.csv",
        )
    if copies.sets:
        equal = sum(one.equal for one in copies.sets)
        hold = "holds" if len(copies.sets) == 1 else "hold"
        yield Sentence(
            "look",
            f"{_sets(len(copies.sets))} of copies {hold} {rows:,} of {images:,} images",
            _how_alike(equal, len(copies.sets)),
        )
    elif images:
        kind = "equal or nearly equal" if copies.compared else "equal"
        yield Sentence("fine", f"no two images are {kind}")
    if not copies.compared:
        yield Sentence(
            "look", f"nearly equal pictures were not looked for among so many as {images:,}"
        )


def _how_alike(equal: int, sets: int) -> str:
    """What is the same in the pictures of a set."""
    if equal == sets:
        return "all their pixels are equal"
    alike = "pictures were turned over, moved, cropped or encoded again, or only look alike"
    return f"in {equal:,} of them all pixels are equal; in the others {alike}" if equal else alike


def _sets(count: int) -> str:
    return "1 set" if count == 1 else f"{count:,} sets"


def _lie(count: int) -> str:
    return "lies" if count == 1 else "lie"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _groups(groups: Groups | None) -> Iterator[Sentence]:
    if groups is None:
        return
    if groups.across:
        yield Sentence(
            "wrong",
            f"{groups.across:,} of {groups.count:,} groups {_lie(groups.across)} in more than one "
            "part",
            "what is measured on a group that was learnt from is too good",
            "keep the images of each group in one part",
        )
    yield Sentence(
        "fine",
        f"{groups.count:,} groups, the largest of {groups.largest:,} images"
        + (f"; {groups.alone:,} images are in none" if groups.alone else ""),
    )


def _one_colour(found: Findings) -> Iterator[Sentence]:
    count = len(found.one_colour)
    if count and found.files is None:  # of files a note says so, and what may be the reason
        yield Sentence(
            "look",
            f"{count:,} of {found.images:,} images {'is' if count == 1 else 'are'} of one colour",
            "\n".join(some([picture.name for picture in found.one_colour], 5)),
        )
    elif found.images and not count:
        yield Sentence("fine", "no image is of one colour only")


def _balance(found: Findings) -> Iterator[Sentence]:
    if found.balance is None:
        if found.images:
            yield Sentence(
                "look", "there are no two classes to tell apart",
                fix="without labels: ae-cls pretrain; labels of files come from class folders, "
                "dataset.labels_csv=FILE or dataset.label_pattern=...",
            )  # fmt: skip
        return
    for warning in found.balance.warnings:
        yield Sentence("look", warning)
    if not found.balance.is_unequal:
        yield Sentence("fine", "no class is rare")


def _suspects(suspects: SuspectFindings | None) -> Iterator[Sentence]:
    if suspects is None:
        return
    count = len(suspects.suspects)
    judge = (
        "an estimate, by a quick classifier that is right about "
        f"{100 * suspects.accuracy:.0f} % of {suspects.judged:,} images that it never saw; "
        "what is only hard to tell counts, too"
    )
    if count:
        yield Sentence(
            "look",
            f"{count:,} {'label' if count == 1 else 'labels'} may be wrong",
            judge,
            "look at the first ones, the most doubtful; all are in suspects.csv",
        )
    elif suspects.judged and not suspects.why_not:
        yield Sentence("fine", "no label looks wrong", judge.partition(";")[0])
    if suspects.why_not:
        which = "some labels" if count else "labels"
        yield Sentence("look", f"{which} were not judged: {suspects.why_not}")
