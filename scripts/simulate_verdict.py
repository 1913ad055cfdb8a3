"""How often a verdict would be wrong: simulated results whose true difference is known.

    .venv/bin/python scripts/simulate_verdict.py             # the tables, in some minutes
    .venv/bin/python scripts/simulate_verdict.py repeats=100

"helps" without effect may be said in 5 of 100 repeats at most, and the 95 % interval should cover
the true difference in 93 to 97 of 100. The last column shows the usual alternative, percentiles of
a two-level bootstrap.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import ndtr

from ae_cls.evaluate.claims import claims
from ae_cls.evaluate.paired import Comparison, Correct, compare, compare_splits
from ae_cls.evaluate.winners import Contest, winners

REPEATS, IMAGES, BOOTSTRAPS = 1000, 1000, 200
CONTROLS, TWINS, BUDGETS = 8, 2, 4
EFFECT = 0.25


@final
@dataclass(frozen=True)
class Spread:
    """Standard deviations on the scale on which an answer is right above 0; its noise is 1.

    Attributes:
        draw: of a method with the draw of labels: what one draw gives it and not the other.
        affinity: of a method with an image: what it finds easy and the other does not.
        image: how easy an image is for all.
        shared: how good a draw is for all.
    """

    draw: float
    affinity: float
    image: float = 1.0
    shared: float = 0.2

    def accuracy(self, skill: float) -> float:
        """The true one, over all draws and images."""
        parts = (self.draw, self.affinity, self.image, self.shared)
        return float(ndtr(skill / np.sqrt(1 + sum(part**2 for part in parts))))


SKILL = 0.8
SPREADS = {"little": Spread(0.05, 0.3), "usual": Spread(0.1, 0.5), "much": Spread(0.3, 0.8)}


def answers(
    generator: np.random.Generator, skills: Sequence[float], spread: Spread, draws: int, images: int
) -> list[Correct]:
    """One matrix a method, on the same draws and images."""
    common = generator.normal(0, spread.image, images)
    common = common + generator.normal(0, spread.shared, (draws, 1))
    return [
        common
        + skill
        + generator.normal(0, spread.draw, (draws, 1))
        + generator.normal(0, spread.affinity, images)
        + generator.normal(0, 1, (draws, images))
        > 0
        for skill in skills
    ]


@final
@dataclass(frozen=True)
class Rates:
    """Shares of the repeats, in [0, 1]."""

    helps: float
    covers: float
    bootstrap_covers: float | None = None

    @classmethod
    def of(
        cls, compared: Sequence[Comparison], truth: float, bootstrapped: Sequence[bool] = ()
    ) -> "Rates":
        """Of comparisons whose true difference is known."""
        return cls(
            float(np.mean([claims([one])[0].word == "helps" for one in compared])),
            float(np.mean([one.low <= truth <= one.high for one in compared])),
            float(np.mean(bootstrapped)) if len(bootstrapped) else None,
        )


def on_draws_and_images(
    spread: Spread, draws: int, effect: float, repeats: int, images: int, *, bootstraps: bool = True
) -> Rates:
    """Two methods, the first better by `effect` on the scale of `Spread`."""
    generator = np.random.default_rng([draws, images, round(1000 * effect)])
    truth = spread.accuracy(SKILL + effect) - spread.accuracy(SKILL)
    units, compared, bootstrapped = np.arange(images), list[Comparison](), list[bool]()
    for _ in range(repeats):
        first, second = answers(generator, (SKILL + effect, SKILL), spread, draws, images)
        compared.append(compare(first, second, units, seed=0))
        if bootstraps:
            low, high = bootstrap(generator, first.astype(float) - second)
            bootstrapped.append(low <= truth <= high)
    return Rates.of(compared, truth, bootstrapped)


def bootstrap(generator: np.random.Generator, rows: np.ndarray) -> tuple[float, float]:
    """The 95 % percentiles of the mean over resampled draws and resampled images."""
    draws, images = rows.shape
    by_image = generator.multinomial(images, np.full(images, 1 / images), BOOTSTRAPS)
    by_draw = generator.multinomial(draws, np.full(draws, 1 / draws), BOOTSTRAPS)
    means = np.einsum("bd,db->b", by_draw, rows @ by_image.T) / rows.size
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


@final
@dataclass(frozen=True)
class Scene:
    """True skills beyond the usual one, on the scale of `Spread`, the same at each budget.

    Attributes:
        pretrained: of the pretrained methods.
        controls: of the others, of which the first two are twins of the pretrained.
    """

    pretrained: tuple[float, ...] = (0.0, 0.0)
    controls: tuple[float, ...] = (0.0,) * CONTROLS

    @property
    def pretrained_wins(self) -> list[bool]:
        """Whether it is better than every control, for each."""
        return [own > max(self.controls) for own in self.pretrained]

    @property
    def beats_twins(self) -> list[bool]:
        """Whether it is better than both twins, for each."""
        return [own > max(self.controls[:TWINS]) for own in self.pretrained]

    @property
    def control_wins(self) -> list[bool]:
        """Whether it is better than every pretrained method, for each."""
        return [own > max(self.pretrained) for own in self.controls]


SCENES = {
    "no effect": Scene(),
    "as good as one control, better than the others": Scene(controls=(*(-EFFECT,) * 7, 0.0)),
    "one pretrained as good as all, one worse": Scene(pretrained=(0.0, -EFFECT)),
    "one better than all": Scene(pretrained=(EFFECT, 0.0)),
    "better than its twins alone": Scene(controls=(*(-EFFECT,) * 2, *(0.0,) * 6)),
    "a control better than all": Scene(controls=(*(0.0,) * 7, EFFECT)),
    "two controls better than all, the others worse": Scene(
        controls=(*(-EFFECT,) * 6, EFFECT, EFFECT)
    ),
}  # fmt: skip


@final
@dataclass(frozen=True)
class Said:
    """Shares in [0, 1].

    Attributes:
        wrong: of the verdicts that call anyone a winner who is none.
        pair: of the verdicts that call one of a pair better which is not, in the table of pairs.
        right: of the winners, at all budgets, that are called so.
    """

    wrong: float
    pair: float
    right: float


def on_a_verdict(
    scene: Scene, spread: Spread, draws: int, repeats: int, images: int = IMAGES
) -> Said:
    """What verdicts over all methods and budgets say."""
    generator = np.random.default_rng(draws)
    verdicts = [_judged(generator, scene, spread, draws, images) for _ in range(repeats)]
    claimed = np.array([called for called, _ in verdicts])  # repeats x budgets x questions
    wins = np.array([*scene.beats_twins, *scene.pretrained_wins, *scene.control_wins])
    return Said(
        wrong=float(claimed[..., ~wins].any(axis=(1, 2)).mean()),
        pair=float(np.mean([wrong for _, wrong in verdicts])),
        right=float(claimed[..., wins].mean()) if wins.any() else float("nan"),
    )


def _judged(
    generator: np.random.Generator, scene: Scene, spread: Spread, draws: int, images: int
) -> tuple[np.ndarray, bool]:
    """Who was called a winner, at each budget, and whether a pair was misjudged."""
    contests = [
        _contest(generator, scene, spread, draws, images, SKILL + 0.2 * budget)
        for budget in range(BUDGETS)
    ]
    called = [
        [name in won.over_twins for name in one.ours]
        + [name in won.over_controls for name in one.ours]
        + [name in won.controls for name in one.theirs]
        for one, won in zip(contests, winners(contests), strict=True)
    ]
    return np.array(called), _misjudges_a_pair(contests, scene)


def _contest(
    generator: np.random.Generator, scene: Scene, spread: Spread, draws: int, images: int,
    skill: float,
) -> Contest:  # fmt: skip
    skills = [skill + own for own in (*scene.pretrained, *scene.controls)]
    given = answers(generator, skills, spread, draws, images)
    ours, theirs, units = (
        given[: len(scene.pretrained)],
        given[len(scene.pretrained) :],
        np.arange(images),
    )
    return Contest(
        {
            (f"p{i}", f"c{j}"): compare(first, second, units, seed=0)
            for i, first in enumerate(ours)
            for j, second in enumerate(theirs)
        },
        frozenset((f"p{i}", f"c{j}") for i in range(len(ours)) for j in range(TWINS)),
    )


def _misjudges_a_pair(contests: Sequence[Contest], scene: Scene) -> bool:
    pairs = [(pair, one) for contest in contests for pair, one in contest.comparisons.items()]
    said = claims([one for _, one in pairs])
    return any(
        _is_wrong(claim.word, *pair, scene) for (pair, _), claim in zip(pairs, said, strict=True)
    )


def _is_wrong(word: str, ours: str, theirs: str, scene: Scene) -> bool:
    truth = scene.pretrained[int(ours[1:])] - scene.controls[int(theirs[1:])]
    return (word == "helps" and truth <= 0) or (word == "hurts" and truth >= 0)


FOLDS, WIDTH = 5, 4
"""Folds of a small set, and the numbers that a classifier sees of an image."""

Features = Float64[np.ndarray, "repeats rows width"]
Shares = Float64[np.ndarray, " repeats"]
Chosen = Bool[np.ndarray, "repeats rows"]


def on_splits(effect: float, times: int, repeats: int, rows: int) -> Rates:
    """Nearest-centroid classifiers on two sets of features of one small set, split repeatedly.

    The learning is real: training parts overlap as those of a person's study do.
    """
    generator = np.random.default_rng([times, rows, round(1000 * effect)])
    means, n_test = (1.0 + effect, 1.0), rows / FOLDS
    differences = split_differences(generator, means, times, repeats, rows)
    truth = true_difference(generator, means, rows)
    compared = [compare_splits(one, n_train=rows - n_test, n_test=n_test) for one in differences]
    return Rates.of(compared, truth)


def split_differences(
    generator: np.random.Generator, means: Sequence[float], times: int, repeats: int, rows: int
) -> Float64[np.ndarray, "repeats splits"]:
    """The difference of the two accuracies in each fold of each time the sets are cut."""
    first, second = (features(generator, mean, repeats, rows) for mean in means)
    found: list[np.ndarray] = []
    for _ in range(times):
        folds = stratified_folds(generator, repeats, rows)
        for fold in range(FOLDS):
            test = folds == fold
            found.append(accuracies(first, test) - accuracies(second, test))
    return np.stack(found, axis=1)


def true_difference(generator: np.random.Generator, means: Sequence[float], rows: int) -> float:
    """Of classifiers that learn from as many rows as a split leaves, on endless test images."""
    if means[0] == means[1]:
        return 0.0
    train = rows - rows // FOLDS
    first, second = (
        float(exact_accuracies(features(generator, mean, 20_000, train), mean).mean())
        for mean in means
    )
    return first - second


def features(generator: np.random.Generator, mean: float, repeats: int, rows: int) -> Features:
    """Of two classes, row by row in turn, whose centres are `mean` apart."""
    sides = (np.arange(rows) % 2 - 0.5) / np.sqrt(WIDTH)
    return mean * sides[:, None] + generator.normal(0, 1, (repeats, rows, WIDTH))


def stratified_folds(
    generator: np.random.Generator, repeats: int, rows: int
) -> Int64[np.ndarray, "repeats rows"]:
    """Number of the fold of each row."""
    folds = np.zeros((repeats, rows), np.int64)
    for label in (0, 1):
        count = len(range(label, rows, 2))
        numbers = np.tile(np.arange(count) % FOLDS, (repeats, 1))
        folds[:, label::2] = generator.permuted(numbers, axis=1)
    return folds


def accuracies(seen: Features, test: Chosen) -> Shares:
    """Of the nearest centroid of the other rows, on the test rows."""
    direction, middle = centroids(seen, ~test)
    answers = np.einsum("rnw,rw->rn", seen - middle[:, None], direction) > 0
    right = answers == (np.arange(seen.shape[1]) % 2 == 1)
    return (right & test).sum(axis=1) / test.sum(axis=1)


def exact_accuracies(seen: Features, mean: float) -> Shares:
    """Of the nearest centroid of all rows, on endless test images, in closed form."""
    direction, middle = centroids(seen, np.ones(seen.shape[:2], bool))
    half, length = np.full(WIDTH, mean / 2 / np.sqrt(WIDTH)), np.linalg.norm(direction, axis=1)
    sides = [np.einsum("rw,rw->r", half + sign * middle, direction) for sign in (-1, 1)]
    return (ndtr(sides[0] / length) + ndtr(sides[1] / length)) / 2


def centroids(seen: Features, train: Chosen) -> tuple[np.ndarray, np.ndarray]:
    """The direction from one class to the other, and the point half-way."""
    low, high = (
        np.einsum("rnw,rn->rw", seen[:, label::2], train[:, label::2] * 1.0)
        / train[:, label::2].sum(axis=1, keepdims=True)
        for label in (0, 1)
    )
    return high - low, (high + low) / 2


def main(words: Sequence[str]) -> None:
    """Print the tables."""
    repeats = next((int(w.removeprefix("repeats=")) for w in words if "=" in w), REPEATS)
    print(f"{repeats:,} repeats; all in %\n")
    print("draws x images: spread, images, draws | helps, no effect | covers | with effect: helps |"
          " covers | bootstrap covers")  # fmt: skip
    for name, spread in SPREADS.items():
        for images in (100, 1000):
            for draws in (3, 5, 10):
                none = on_draws_and_images(spread, draws, 0.0, repeats, images)
                some = on_draws_and_images(spread, draws, EFFECT, repeats, images)
                print(f"{name:>7} {images:>6} {draws:>3} | {_line(none, some)}", flush=True)
    print("\nrepeated folds of a small set: rows, repeats of 5 folds | the same")
    for rows in (30, 60, 200):
        for times in (1, 2, 5):
            none = on_splits(0.0, times, repeats, rows)
            some = on_splits(1.0, times, repeats, rows)
            print(f"{rows:>6} {times:>3} | {_line(none, some)}", flush=True)
    print(f"\na verdict of 2 pretrained methods and {CONTROLS} controls at {BUDGETS} budgets:"
          " draws | a wrong winner | a wrong pair | winners found")  # fmt: skip
    for title, scene in SCENES.items():
        print(title)
        for draws in (3, 5, 10):
            said = on_a_verdict(scene, SPREADS["usual"], draws, repeats)
            rates = (said.wrong, said.pair, said.right)
            print(f"{draws:>6} | " + " | ".join(f"{100 * rate:5.1f}" for rate in rates), flush=True)


def _line(none: Rates, some: Rates) -> str:
    both = [none.helps, none.covers, some.helps, some.covers]
    both += [] if some.bootstrap_covers is None else [some.bootstrap_covers]
    return " | ".join(f"{100 * rate:5.1f}" for rate in both)


if __name__ == "__main__":
    main(sys.argv[1:])
