import xml.etree.ElementTree
from collections import Counter
from functools import cache
from io import BytesIO
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from PIL import Image
from sklearn.datasets import load_digits

from ae_cls.report.figures import (
    confident_mistakes,
    confusion_matrix,
    contact_rows,
    contact_sheet,
    health_curves,
    latent_map,
    loss_curves,
    mistake_rows,
    reconstructions,
    render,
    samples,
)
from ae_cls.report.figures.canvas import in_house_style, shortened
from ae_cls.report.figures.contact import MOST_A_CLASS, MOST_CLASSES
from ae_cls.report.figures.latents import UNKNOWN, class_colours
from ae_cls.report.figures.verdict import Curve, Point, cost_points, label_curve

SHAPES = [(1, 8, 8), (3, 32, 32), (3, 96, 160)]
CLASSES = [1, 2, 10, 100]
STRANGE = (
    "$x_1$",
    "<script>alert(1)</script>",
    "_hidden",
    "é\x1b[31m\n",
    "日本",
    "$\\frac{$",
    "--",
    "",
)


def images(count: int, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(count, *shape)).astype(np.float32)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"class number {index}" for index in range(count))


def rebuilt(shape: tuple[int, int, int] = (1, 8, 8), count: int = 4) -> Figure:
    clean = images(count, shape)
    return reconstructions(clean, clean * 0.5, images(count, shape, 1), clean * 0.9, None)


def confused(class_names: tuple[str, ...]) -> Figure:
    matrix = np.random.default_rng(0).poisson(2, (len(class_names),) * 2)
    return confusion_matrix(matrix.astype(np.int64), class_names, "test")


def mapped(class_names: tuple[str, ...], count: int = 50) -> Figure:
    labels = np.arange(count) % (len(class_names) + 1) - 1
    figure = latent_map(images(count, (1, 4, 4)).reshape(count, 16), labels, class_names, "test")
    assert figure is not None
    return figure


def mistaken(
    class_names: tuple[str, ...], shape: tuple[int, int, int] = (1, 8, 8), count: int = 8
) -> Figure:
    labels = np.arange(count) % len(class_names)
    predicted = (labels + 1) % len(class_names)
    figure = confident_mistakes(
        images(count, shape), labels, predicted, np.linspace(0.4, 0.99, count), class_names, "test"
    )
    assert figure is not None
    return figure


def contact(class_names: tuple[str, ...], labels: np.ndarray | None = None) -> Figure:
    given = np.arange(3 * len(class_names)) % len(class_names) if labels is None else labels
    rows = contact_rows(given, len(class_names))
    figure = contact_sheet(images(len(rows), (1, 8, 8)), rows, given, class_names, "training")
    assert figure is not None
    return figure


def sampled(class_names: tuple[str, ...], shape: tuple[int, int, int] = (1, 8, 8)) -> Figure:
    lines = images(3 * len(class_names), shape).reshape(len(class_names), 3, *shape)
    return samples(lines, class_names, "Images of codes")


def trained(
    losses: list[float], stage: str = "pretrain", passes: int = 1
) -> list[dict[str, object]]:
    return [
        {
            "stage": stage,
            "epoch": epoch * passes,
            "step": epoch * 50,
            "train": {"loss": loss, "mse": 1.0},
            "valid": {"loss": loss * 1.1},
            "best": loss == min(losses[:epoch]),
        }
        for epoch, loss in enumerate(losses, start=1)
    ]


def drawn(history: list[dict[str, object]]) -> Figure:
    figure = loss_curves(history)
    assert figure is not None
    return figure


def healthy(**more: float) -> list[dict[str, object]]:
    """A history whose network gets better."""
    return [
        record
        | {"health": {
            "size": 64, "rank": 10.0 + place, "dead": 0.1, "dead_channels": 0.0, "saturated": 0.01,
            "mse": 0.1 / (1 + place), "mean_image_mse": 0.08, **more,
        }}
        for place, record in enumerate(trained([3.0, 1.0, 2.0]))
    ]  # fmt: skip


def health(history: list[dict[str, object]]) -> Figure:
    figure = health_curves(history)
    assert figure is not None
    return figure


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()  # ticks get their text when they are drawn
    return [text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text"))]  # pyright: ignore


ALL = {
    "reconstructions": rebuilt,
    "confusion matrix": lambda: confused(names(10)),
    "latent map": lambda: mapped(names(10)),
    "t-SNE": lambda: mapped(names(10), 60),
    "contact sheet": lambda: contact(names(10)),
    "mistakes": lambda: mistaken(names(10)),
    "samples": lambda: sampled(names(10)),
    "health curves": lambda: health(healthy(pca_mse=0.01, kl=20.0, active=12)),
    "loss curves": lambda: drawn(trained([1.0, 0.1, 0.01]) + trained([2.0, 1.9], "finetune")),
}


@cache
def first_time(name: str) -> dict[str, bytes]:
    return render(ALL[name]())


def assert_is_a_small_picture(files: dict[str, bytes]) -> None:
    assert set(files) == {"png", "svg"}
    with Image.open(BytesIO(files["png"])) as picture:
        picture.load()
        assert min(picture.size) > 100
        assert len(np.unique(np.asarray(picture.convert("L")))) > 2
    assert xml.etree.ElementTree.fromstring(files["svg"]).tag == "{http://www.w3.org/2000/svg}svg"
    assert len(files["svg"]) < 500_000


@pytest.mark.parametrize("name", ALL)
def test_a_figure_is_the_same_bytes_each_time_and_holds_no_date(name: str) -> None:
    files = first_time(name)
    assert_is_a_small_picture(files)
    assert render(ALL[name]()) == files
    assert b"<dc:date>" not in files["svg"]


@pytest.mark.parametrize("name", ALL)
def test_a_figure_neither_reads_nor_changes_the_settings_of_the_user(name: str) -> None:
    with rc_context({"font.size": 20.0, "lines.linewidth": 9.0, "svg.fonttype": "none"}):
        assert render(ALL[name]()) == first_time(name)
        assert (rcParams["font.size"], rcParams["svg.fonttype"]) == (20.0, "none")


@pytest.mark.parametrize(
    ("make", "count"),
    [*product([confused, mapped], CLASSES), *product([mistaken], CLASSES[1:])],
)
def test_a_figure_takes_any_number_of_classes(make, count: int) -> None:
    assert_is_a_small_picture(render(make(names(count))))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "make",
    [rebuilt, lambda shape: mistaken(names(3), shape), lambda shape: sampled(names(2), shape)],
)
def test_a_figure_takes_grey_and_colour_small_and_large_images(make, shape) -> None:
    assert_is_a_small_picture(render(make(shape)))


@pytest.mark.parametrize("make", [confused, mapped, mistaken, sampled])
def test_strange_class_names_are_drawn_as_they_are_and_never_run(make) -> None:
    figure = make(STRANGE)
    assert any("$x_1$" in text for text in texts(figure))
    svg = render(figure)["svg"]
    assert b"<script" not in svg
    xml.etree.ElementTree.fromstring(svg)


@pytest.mark.parametrize(
    "make",
    [
        lambda: confused(names(10)),
        lambda: mapped(names(3)),
        lambda: mistaken(names(3)),
        rebuilt,
        lambda: drawn(trained([3.0, 1.0, 2.0]) + trained([1.0, 0.9], "finetune")),
    ],
)
def test_nothing_is_cut_off(make) -> None:
    whole = BytesIO()
    save = in_house_style(make().savefig)
    save(whole, format="png", dpi=150, bbox_inches="tight")
    sizes = [Image.open(BytesIO(png)).size for png in (render(make())["png"], whole.getvalue())]
    assert sizes[0] == pytest.approx(sizes[1], abs=2)  # pixels; text is measured at another scale


def test_images_outside_0_to_1_or_not_finite_are_still_drawn() -> None:
    clean = images(3, (3, 8, 8))
    output = clean * 9 - 4
    output[0, 0, 0, 0] = np.nan
    assert_is_a_small_picture(render(reconstructions(clean, clean, output, output, None)))


def test_reconstructions_name_rows_classes_and_errors() -> None:
    clean = np.zeros((2, 1, 8, 8), dtype=np.float32)
    figure = reconstructions(clean, clean + 0.5, clean + 0.1, clean + 0.2, ["coat", "bag"])
    found = texts(figure)
    rows = {f"{kind}\n{row}" for kind in ("intact", "corrupted") for row in ("input", "rebuilt")}
    assert {*rows, "intact", "corrupted", "coat", "bag", "0.0100", "0.0400"} <= {*found}
    assert found.count("0.0100") == found.count("0.0400") == 2
    assert len(figure.axes[0].images) == 8


def test_reconstructions_leave_out_a_corrupted_row_that_equals_the_input() -> None:
    clean = images(2, (1, 8, 8))
    figure = reconstructions(clean, clean.copy(), clean, clean, None)
    assert len(figure.axes[0].images) == 4
    assert {"input", "rebuilt"} <= {*texts(figure)}


def test_reconstructions_show_a_dozen_of_many() -> None:
    assert len(rebuilt(count=40).axes[0].images) == 4 * 12


def test_loss_curves_have_a_panel_a_stage_and_mark_the_weights_kept() -> None:
    figure = drawn(trained([3.0, 1.0, 2.0]) + trained([1.0, 0.9], "finetune"))
    found = texts(figure)
    stages = {f"{stage}: training and validation loss" for stage in ("pretrain", "finetune")}
    assert stages <= {*found}
    assert {"weights kept: epoch 2", "training", "validation", "epoch"} <= {*found}


def test_the_probe_stands_beside_the_loss_where_it_was_measured() -> None:
    probed = [record | ({"probe": 0.5} if n else {}) for n, record in enumerate(trained([3.0, 1]))]
    figure = drawn(probed)
    (line,) = figure.axes[1].lines
    assert list(line.get_xdata()) == [2] and list(line.get_ydata()) == [50.0]
    assert {"probe", "accuracy of the probe in %", "validation"} <= {*texts(figure)}
    assert len(drawn(trained([3.0, 1.0])).axes) == 1


def test_loss_curves_of_a_small_set_count_steps() -> None:
    found = texts(drawn(trained([3.0, 1.0, 2.0], passes=20)))
    assert {"weights kept: step 100", "step"} <= {*found} and "epoch" not in found


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([1.0, 0.05], "log"), ([1.0, 0.5], "linear"), ([1.0, 0.0], "linear"), ([5.0, -9.0], "linear")],
)
def test_a_wide_range_of_losses_is_drawn_on_a_logarithmic_axis(
    losses: list[float], scale: str
) -> None:
    assert drawn(trained(losses)).axes[0].get_yscale() == scale


def test_ticks_of_a_logarithmic_axis_are_plain_digits() -> None:
    found = texts(drawn(trained([1.0, 0.05, 0.001])))
    assert "0.01" in found and not any("$" in text or "{" in text for text in found)


def test_a_history_without_epochs_has_no_figure_and_one_epoch_has_one() -> None:
    assert loss_curves([]) is None
    assert_is_a_small_picture(render(drawn(trained([1.0]))))


def test_health_has_a_panel_for_each_kind_of_measure_that_there_is() -> None:
    plain, vae = health(healthy()), health(healthy(pca_mse=0.01, kl=20.0, active=12))
    assert len(plain.axes) == 3 and len(vae.axes) == 4
    assert "code of 64 numbers" in texts(plain) and "PCA of the same size" not in texts(plain)
    assert {"active numbers", "PCA of the same size"} <= {*texts(vae)}
    codebook = health(healthy(entries=256, used=90, perplexity=60.0))
    assert {"codebook of 256 entries", "perplexity", "entries in use"} <= {*texts(codebook)}
    assert health_curves(trained([1.0])) is None


def test_a_stage_without_validation_is_drawn() -> None:
    history = [{"stage": "pretrain", "epoch": 1, "step": 9, "train": {"loss": None}, "valid": None}]
    assert "validation" not in texts(drawn(history))


def test_a_confusion_matrix_writes_counts_and_accuracy() -> None:
    matrix = np.array([[30, 10, 0], [0, 0, 0], [1234, 0, 20]])
    figure = confusion_matrix(matrix, ("a", "b", "c"), "validation")
    written = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert written == {(0, 0): "30", (1, 0): "10", (0, 2): "1234", (2, 2): "20"}
    assert (
        figure.axes[0].get_title() == "Confusion matrix\n3.9 % of 1,294 validation images are right"
    )
    assert {"true class", "predicted class", "a", "b", "c"} <= {*texts(figure)}


def test_a_confusion_matrix_is_coloured_by_the_share_of_the_true_class() -> None:
    figure = confusion_matrix(np.array([[30, 10], [0, 0]]), ("a", "b"), "test")
    assert np.asarray(figure.axes[0].images[0].get_array()).tolist() == [[0.75, 0.25], [0, 0]]


def test_a_large_confusion_matrix_has_no_numbers_and_fewer_names() -> None:
    figure = confused(names(100))
    assert not figure.axes[0].texts
    assert len(figure.axes[0].get_xticks()) == 20
    assert confused(names(20)).axes[0].texts


def test_mistakes_are_the_surest_wrong_answers_in_order() -> None:
    labels, predicted = np.array([0, 1, -1, 1, 1]), np.array([1, 0, 0, 1, 0])
    rows = mistake_rows(labels, predicted, np.array([0.6, 0.9, 1.0, 0.99, 0.6]))
    assert rows.tolist() == [1, 0, 4]


def test_mistakes_name_both_classes_and_the_probability() -> None:
    figure = confident_mistakes(
        images(2, (1, 8, 8)),
        np.array([0, 1]),
        np.array([1, 1]),
        np.array([0.974, 1.0]),
        ("a", "b"),
        "validation",
    )
    assert figure is not None and "a →\nb  97 %" in texts(figure)
    assert any(text.startswith("Most confident validation mistakes") for text in texts(figure))


def test_at_most_24_mistakes_are_shown_and_none_give_no_figure() -> None:
    assert len(mistaken(names(2), count=30).axes[0].images) == 24
    right = np.array([0, 1])
    assert (
        confident_mistakes(images(2, (1, 8, 8)), right, right, np.ones(2), names(2), "test") is None
    )


def test_a_map_tells_how_and_of_how_many_images_it_was_made() -> None:
    pixels, labels = load_digits(return_X_y=True)
    features = pixels.astype(np.float32)
    figure = latent_map(features[:60], labels[:60], names(10), "test")
    assert figure is not None and "Codes of 60 test images: t-SNE" in texts(figure)
    figure = latent_map(features[:59], labels[:59], names(10), "test")
    assert figure is not None and "Codes of 59 test images: principal components" in texts(figure)


def test_a_map_of_many_images_draws_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ae_cls.report.figures.latents.MOST_ROWS", 40)
    figure = mapped(names(3), 1234)
    assert "Codes of 40 of 1,234 test images: principal components" in texts(figure)
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert points.shape == (40, 2)
    again = mapped(names(3), 1234).axes[0].collections[0].get_offsets()
    assert (np.asarray(again) == points).all()


def test_points_of_a_map_have_the_colour_of_their_class_and_are_one_picture_in_an_svg() -> None:
    figure = mapped(names(3), 8)
    colours = figure.axes[0].collections[0].get_facecolors()[:, :3]  # pyright: ignore
    expected = np.array([*class_colours(3), UNKNOWN])[np.arange(8) % 4 - 1]
    assert (colours == expected).all()
    assert render(figure)["svg"].count(b"<image") == 1


def test_a_map_keeps_classes_apart_that_are_apart() -> None:
    draws = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = (np.eye(3)[labels] * 50 + draws.normal(size=(90, 3))).astype(np.float32)
    figure = latent_map(features, labels, names(3), "test")
    assert figure is not None
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    centres = np.stack([points[labels == one].mean(axis=0) for one in range(3)])
    nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == labels).all()


def test_a_map_of_dead_or_single_number_codes_is_drawn() -> None:
    labels = np.arange(80) % 2
    for features in (np.ones((80, 5)), np.ones((2, 5)), images(80, (1, 1, 1)).reshape(80, 1)):
        figure = latent_map(features.astype(np.float32), labels[: len(features)], names(2), "test")
        assert figure is not None
        assert_is_a_small_picture(render(figure))


def test_fewer_than_two_rows_have_no_map() -> None:
    assert latent_map(np.ones((1, 3), np.float32), np.zeros(1, int), names(1), "test") is None


@pytest.mark.parametrize("count", CLASSES)
def test_each_class_has_its_own_colour(count: int) -> None:
    colours = class_colours(count)
    assert len({tuple(round(255 * part) for part in colour) for colour in colours}) == count


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("coat", 4, "coat"),
        ("overcoat 12", 9, "overco…12"),
        ("a\nb\x1b", 20, "a\\nb\\x1b"),
        ("日本", 20, "□□"),
    ],
)
def test_names_are_shortened_and_hold_only_glyphs_of_the_font(
    text: str, length: int, expected: str
) -> None:
    assert shortened(text, length) == expected


def test_figures_do_not_import_the_stateful_interface() -> None:
    files = Path(__file__).parents[2].glob("ae_cls/report/**/*.py")
    assert not [file for file in files if "pyplot" in file.read_text(encoding="utf-8")]


@given(
    st.lists(st.integers(-1, 14), max_size=200).map(lambda one: np.array(one, np.int64)),
)
def test_a_contact_sheet_shows_some_of_each_class(labels: np.ndarray) -> None:
    rows = contact_rows(labels, 15)
    counts = Counter(labels[labels >= 0].tolist())
    shown = Counter(labels[rows].tolist())
    if not counts:
        assert len(rows) == min(len(labels), 40)
        return
    assert len(shown) == min(len(counts), MOST_CLASSES) and -1 not in shown
    assert all(count == min(counts[label], MOST_A_CLASS) for label, count in shown.items())
    assert len(np.unique(rows)) == len(rows) and list(shown) == sorted(shown)
    if len(counts) > MOST_CLASSES:
        ranked = [count for _, count in counts.most_common()]
        here = sorted((counts[label] for label in shown), reverse=True)
        assert here == ranked[:5] + ranked[-5:]


def test_a_contact_sheet_names_and_counts_classes() -> None:
    said = texts(contact(("cat", "dog"), np.array([0] * 1200 + [1] * 3)))
    assert "cat\n1,200" in said and "dog\n3" in said
    many = np.repeat(np.arange(12), np.arange(12, 0, -1))
    said = texts(contact(names(12), many))
    assert any("5 most and 5 least frequent of 12 classes" in one for one in said)
    assert not any("class number 5" in one for one in said)


def test_a_contact_sheet_needs_no_labels_but_an_image() -> None:
    unlabelled = np.full(9, -1)
    assert any("as the network" in one for one in texts(contact(("cat",), unlabelled)))
    nothing = np.zeros(0, np.int64)
    assert contact_sheet(images(0, (1, 8, 8)), nothing, nothing, ("cat",), "training") is None


def test_samples_have_a_line_for_each_name_and_none_are_named_without() -> None:
    assert {"class number 0", "class number 1", "Images of codes"} <= set(texts(sampled(names(2))))
    plain = samples(images(6, (1, 8, 8)).reshape(2, 3, 1, 8, 8), None, "Images of codes")
    assert [text for text in texts(plain) if text] == ["Images of codes"]
    assert [len(figure.axes[0].images) for figure in (plain, sampled(names(2)))] == [2, 2]
    assert plain.get_figwidth() < sampled(names(2)).get_figwidth()


@pytest.mark.parametrize(("count", "listed", "rest"), [(12, 12, []), (25, 6, ["19 others"])])
def test_a_legend_of_many_lists_those_with_a_colour(count, listed, rest) -> None:
    names = [f"arm{place}" for place in range(count)]
    points = [Point(name, 1.0, 0.5, 0.4, 0.6, True) for name in names]
    curves = [
        Curve(name, [10.0, 100.0], [0.5, 0.6], [0.4, 0.5], [0.6, 0.7], True) for name in names
    ]
    for figure in (
        label_curve(curves, break_even=None, ticks=[10.0, 100.0], dark=False),
        cost_points(points, dark=False),
    ):
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [*names[:listed], *rest]
