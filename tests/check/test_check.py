"""What is said of folders in which something is wrong: the findings, their files, the command."""

import csv
import html
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ae_cls.check.check import Checked, check
from ae_cls.check.page import MOST_SETS
from ae_cls.check.terminal import terminal_page
from ae_cls.experiment.check import Check
from tests.check.drawn import SIDE, folder, picture, save
from tests.composed import described, plain

pytestmark = pytest.mark.filterwarnings(
    "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning"
)


@dataclass(frozen=True)
class Looked:
    """A finished check, as its files and its two pages say it."""

    done: Checked
    json: dict
    page: str
    terminal: str

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.done.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


Look = Callable[..., Looked]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Checks a folder of 16x16 grey pictures, `photos` if no other is given."""

    def checked(*words: str, root: Path | None = None) -> Looked:
        place = root or tmp_path / "photos"
        told = described(
            "check", "dataset=folder", f"dataset.root={place}", f"dataset.image_size={SIDE}",
            "dataset.channels=1", "device=cpu", *words,
        )  # fmt: skip
        assert isinstance(told, Check)
        return finished(told.model_copy(update={"outputs": str(tmp_path / "outputs")}))

    return checked


def finished(told: Check) -> Looked:
    done = check(told)
    console = Console(width=80, no_color=True, highlight=False)
    with console.capture() as printed:
        console.print(terminal_page(done.found, done.page), crop=False)
    return Looked(
        done,
        json.loads((done.folder / "findings.json").read_text(encoding="utf-8")),
        done.page.read_text(encoding="utf-8"),
        printed.get(),
    )


def words_of(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_a_set_without_fault(look: Look, tmp_path: Path) -> None:
    folder(tmp_path / "photos", {"ant": 30, "bee": 30})
    found = look()
    assert found.done.exit_code == 0
    assert found.json["images"] == 60 and not found.json["refusals"] and not found.json["bad"]
    counts = {one["name"]: one for one in found.json["classes"]}
    assert counts["ant"] == {"name": "ant", "train": 21, "valid": 3, "test": 6}
    assert found.json["files"]["median"] == [SIDE, SIDE]
    assert found.json["files"]["formats"] == {"PNG": 60}
    assert found.json["copies"]["sets"] == 0
    for text in (found.terminal, words_of(found.page)):
        assert "no two images are equal or nearly equal" in text
        assert "no class is rare" in text and "no label looks wrong" in text
    names = {str(path.relative_to(found.done.folder)) for path in found.done.folder.rglob("*.*")}
    assert names >= {
        "index.html", "findings.json", "copies.csv", "suspects.csv", "config.json",
        "figures/images.png", "figures/images.svg",
    }  # fmt: skip


def test_copies_across_parts_and_under_two_labels(look: Look, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    folder(root, {"ant": 20, "bee": 20}, "train")
    folder(root, {"ant": 10, "bee": 10}, "test")
    save(root / "test" / "ant" / "again.png", picture(0, 3))
    save(root / "train" / "bee" / "mirrored.png", picture(0, 5)[:, ::-1].copy())
    save(root / "test" / "ant" / "paler.png", (picture(0, 7) * 0.7).astype(np.uint8))
    found = look()
    assert found.json["copies"] == {
        "compared": True, "sets": 3, "images": 6, "equal_sets": 1, "sets_across_parts": 2,
        "sets_with_labels_that_differ": 1,
    }  # fmt: skip
    rows = found.table("copies.csv")
    assert {row["image"] for row in rows} == {
        "test/ant/again.png", "train/ant/003.png", "train/bee/mirrored.png", "train/ant/005.png",
        "test/ant/paler.png", "train/ant/007.png",
    }  # fmt: skip
    assert {row["image"] for row in rows if row["across"] == "yes"} >= {"test/ant/again.png"}
    assert {row["label"] for row in rows if row["labels_differ"] == "yes"} == {"ant", "bee"}
    for text in (" ".join(found.terminal.split()), words_of(found.page)):
        assert "2 sets of copies lie in more than one part (4 images)" in text
        assert "1 set of copies has more than one label" in text
    assert "train/bee/mirrored.png" in found.page and found.done.exit_code == 0


def test_a_wrong_label_is_found_and_shown(look: Look, tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", {"ant": 40, "bee": 40})
    save(root / "bee" / "really an ant.png", picture(0, 500))
    found = look()
    assert [row["image"] for row in found.table("suspects.csv")] == ["bee/really an ant.png"]
    (row,) = found.table("suspects.csv")
    assert (row["label"], row["predicted"]) == ("bee", "ant")
    assert float(row["p_predicted"]) > 0.5 > float(row["p_label"])
    assert found.json["suspects"]["suspects"] == 1
    assert "1 label may be wrong" in found.terminal
    assert "an estimate" in " ".join(found.terminal.split())
    assert "bee/really an ant.png" in found.page


@pytest.mark.parametrize("on_bad", ["error", "skip"])
def test_bad_files_are_listed_and_end_nothing(look: Look, tmp_path: Path, on_bad: str) -> None:
    root = folder(tmp_path / "photos", {"ant": 20, "bee": 20})
    whole = (root / "ant" / "000.png").read_bytes()
    (root / "ant" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "bee" / "notes.png").write_text("not a picture")
    found = look(f"dataset.on_bad={on_bad}")
    assert [bad["path"] for bad in found.json["bad"]] == ["ant/cut.png", "bee/notes.png"]
    assert all(bad["why"] and bad["path"] not in bad["why"] for bad in found.json["bad"])
    assert not any("cut.png" in note for note in found.json["notes"])
    for text in (found.terminal, found.page):
        assert "2 files cannot be decoded" in text and "notes.png: " in text
    assert found.done.exit_code == 0 and found.json["images"] == 40
    assert "dataset.on_bad=skip" in found.json["command"]


def test_hidden_folders_and_plain_pictures_are_told(look: Look, tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", {"ant": 20, "bee": 20})
    save(root / "@eaDir" / "000.png", picture(0, 0))
    save(root / "bee" / "plain.png", np.full((SIDE, SIDE), 80, np.uint8))
    found = look()
    assert any("@eaDir" in note for note in found.json["notes"])
    assert [one["name"] for one in found.json["one_colour"]] == ["bee/plain.png"]
    assert "of one colour" in found.terminal and "no image is of one colour" not in found.terminal
    assert "Images of one colour" in found.page


def test_rare_classes_change_the_command(look: Look, tmp_path: Path) -> None:
    folder(tmp_path / "photos", {"good": 120, "defect": 10})
    found = look()
    assert found.json["balance"]["rarest"] == "defect" and found.json["balance"]["is_unequal"]
    command = found.json["command"]
    assert command.endswith("head.class_weight=balanced labels.choose_by=balanced_accuracy")
    assert command in found.terminal and html.escape(command, quote=False) in found.page


def test_groups_across_official_parts_are_wrong(look: Look, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    folder(root, {"ant": 12, "bee": 12}, "train")
    folder(root, {"ant": 12, "bee": 12}, "test")
    found = look("dataset.group='([0-9])[.]png'")
    assert found.json["groups"] == {"count": 10, "largest": 8, "alone": 0, "across": 10}
    assert "10 of 10 groups lie in more than one part" in found.terminal


def spelt(root: Path) -> None:
    folder(root, {"ant": 12, "bee": 12})
    for number in range(12):
        save(root / "Ant" / f"{number}.png", picture(0, 200 + number))


def one_class(root: Path) -> None:
    folder(root / "inner", {"ant": 5, "bee": 5})


def nothing(root: Path) -> None:
    root.mkdir()


def all_bad(root: Path) -> None:
    folder(root, {"ant": 5})
    (root / "bee").mkdir()
    (root / "bee" / "broken.png").write_text("no picture")


@pytest.mark.parametrize(
    ("make", "says", "fix", "images"),
    [
        (spelt, "labels differ in case", "dataset.spellings=merge", 36),
        (one_class, "one class only", "dataset.root=", 0),
        (nothing, "there are no image files", "dataset.root", 0),
        (all_bad, "1 image cannot be decoded", "replace the files", 0),
    ],
)
def test_a_refusal_is_the_first_finding(
    look: Look, tmp_path: Path, make: Callable[[Path], None], says: str, fix: str, images: int
) -> None:
    make(tmp_path / "photos")
    found = look()
    assert found.done.exit_code == 3 and found.json["images"] == images
    refusals = found.json["refusals"]
    assert any(says in refusal["what"] and fix in refusal["fix"] for refusal in refusals)
    findings = found.terminal[found.terminal.index("refused") :]
    assert findings.index(refusals[0]["what"][:40]) < 80
    assert words_of(found.page).index("refused") < words_of(found.page).index(says)
    assert found.json["command"].startswith("ae-cls check dataset=folder dataset.root=")
    assert "delete" not in found.terminal + found.page


def test_the_command_can_be_pasted(look: Look, tmp_path: Path) -> None:
    root = folder(tmp_path / "it's a $HOME, [1] {x}", {"ant": 20, "bee": 20})
    found = look("split.test_fraction=0.25", "seed=7", "dataset.background=[1,2,3]", root=root)
    program, command, *words = shlex.split(found.json["command"])
    assert (program, command) == ("ae-cls", "run")
    again = plain("run", *words)
    assert again["dataset"]["root"] == str(root)
    assert again["dataset"]["background"] == [1, 2, 3] and again["dataset"]["channels"] == 1
    assert again["split"]["test_fraction"] == 0.25 and again["seed"] == 7


@pytest.mark.parametrize(
    ("size", "channels", "words"),
    [
        (64, 3, {"dataset.image_size=16", "dataset.channels=1"}),
        (16, 1, set()),
        (8, 1, set()),
    ],
)
def test_words_that_suit_the_files(
    look: Look, tmp_path: Path, size: int, channels: int, words: set[str]
) -> None:
    folder(tmp_path / "photos", {"ant": 12, "bee": 12})
    found = look(f"dataset.image_size={size}", f"dataset.channels={channels}")
    assert {one["word"] for one in found.json["advice"]} == words
    assert words <= set(shlex.split(found.json["command"]))


def test_a_crop_that_cuts_much_away_is_advised_against(look: Look, tmp_path: Path) -> None:
    for number in range(24):
        wide = np.concatenate([picture(number % 2, number)] * 3, 1)
        save(tmp_path / "photos" / f"class {number % 2}" / f"{number}.png", wide)
    assert "dataset.fit=pad" in shlex.split(look().json["command"])
    assert not look("dataset.fit=stretch").json["advice"]


class Page(HTMLParser):
    """Tags that are open, all addresses, and what a script could be."""

    EMPTY = ("meta", "img", "br", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "name", ["<script>alert(1)<", "a & b", '" onload="x', "{{ 7 * 7 }}", "tüte\x1b[31m", "=1+1"]
)
def test_strangers_names_are_text_on_a_page_that_stands_alone(
    look: Look, tmp_path: Path, name: str
) -> None:
    root = folder(tmp_path / "photos", {name: 20, "bee": 20})
    for number in range(2):
        save(root / name / f"copy {number}.png", picture(0, number))
        save(root / "bee" / f"{name}{number}.png", picture(0, 300 + number))
    found = look()
    page = Page(found.page)
    assert not page.open and "script" not in page.tags and "link" not in page.tags
    assert page.addresses and all(one.startswith("data:image/png") for one in page.addresses)
    assert not re.search(r"@import|url\(|https?:", re.sub(r'src="[^"]*"', "", found.page))
    shown = name.replace("\x1b", "\\x1b")
    assert shown in html.unescape(found.page) and "\x1b" not in found.page + found.terminal
    assert found.json["classes"][sorted([name, "bee"]).index(name)]["name"] == name


def test_names_of_any_bytes_are_told(look: Look, tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", {"ant": 12, "bee": 12})
    name = b"caf\xe9.png".decode(errors="surrogateescape")
    save(root / "bee" / "plain.png", picture(0, 2)).rename(root / "bee" / name)
    found = look()
    assert "bee/caf\\udce9.png" in found.page and found.json["copies"]["sets"] == 1
    assert "bee/caf\\udce9.png" in {row["image"] for row in found.table("copies.csv")}


def test_lines_end_at_80_columns_but_for_what_is_pasted(look: Look, tmp_path: Path) -> None:
    names = {f"a rather long name of a class, the {number}th": 4 for number in range(4)}
    root = folder(tmp_path / "photos", names)
    (root / "a rather long name of a class, the 1th" / "broken.png").write_text("no" * 90)
    found = look()
    pasted = (found.json["command"], str(found.done.page))
    lines = [line for line in found.terminal.splitlines() if line.strip() not in pasted]
    assert max(map(len, lines)) <= 80
    assert all(any(line.strip() == one for line in found.terminal.splitlines()) for one in pasted)


def test_many_sets_are_bounded_on_the_page_and_whole_in_the_table(
    look: Look, tmp_path: Path
) -> None:
    root = folder(tmp_path / "photos", {"ant": 40, "bee": 40})
    for number in range(MOST_SETS + 6):
        save(root / "ant" / f"again {number}.png", picture(0, number))
    found = look()
    assert len({row["set"] for row in found.table("copies.csv")}) == MOST_SETS + 6
    assert found.page.count('<div class="set"><h3>equal') == MOST_SETS
    assert f"{MOST_SETS} of {MOST_SETS + 6} are shown; all are in copies.csv" in found.page


@pytest.mark.parametrize("words", [(), ("split.test_fraction=0.0",)])
def test_sets_that_are_no_files_have_rows_for_names(tmp_path: Path, words: tuple[str, ...]) -> None:
    labels = np.arange(60) % 2
    pictures = np.stack([picture(int(label), row) for row, label in enumerate(labels)])
    np.savez(tmp_path / "own.npz", images=pictures, labels=labels)
    told = described("check", "dataset=npz", f"dataset.root={tmp_path / 'own.npz'}", *words)
    assert isinstance(told, Check)
    found = finished(told.model_copy(update={"outputs": str(tmp_path)}))
    assert found.json["images"] == 60 and found.json["files"] is None
    assert found.done.folder.parent == tmp_path / "check" / "npz"
    assert "row 0" in found.page and found.json["command"].startswith("ae-cls run dataset=npz")


def test_without_labels_the_next_command_is_pretrain(look: Look, tmp_path: Path) -> None:
    for number in range(20):
        save(tmp_path / "photos" / "unlabelled" / f"{number}.png", picture(0, number))
    found = look()
    assert found.json["unlabelled"] == 20 and found.json["suspects"] is None
    assert found.json["command"].startswith("ae-cls pretrain dataset=folder")


def test_two_looks_say_the_same(look: Look, tmp_path: Path) -> None:
    folder(tmp_path / "photos", {"ant": 20, "bee": 20})
    first, second = look(), look()
    assert first.json == second.json and first.page == second.page
