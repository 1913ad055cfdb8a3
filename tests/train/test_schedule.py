"""How long a training is, and where in it the validations are."""

import pytest

from ae_cls.pretrain.gradient import GradientPretraining
from ae_cls.train.schedule import Schedule
from tests.composed import described, experiment


def schedule(*words: str) -> GradientPretraining:
    found = described("pretrain", *(f"pretrain.{word}" for word in words)).pretrain
    assert isinstance(found, GradientPretraining)
    return found


def ends(one: GradientPretraining, count: int) -> list[int]:
    """The steps after which there is a validation."""
    found = [0]
    while found[-1] < one.length.steps(count):
        found.append(one.length.end_of_stretch(found[-1], count))
    return found[1:]


def test_a_large_set_is_trained_by_epochs() -> None:
    one = schedule("epochs=4", "min_steps=40", "batch_size=10")
    assert one.length.goes_by_epochs(104)
    assert ends(one, 104) == [11, 22, 33, 44]
    assert [one.length.passes(step, 104) for step in (11, 44)] == [1, 4]


def test_a_small_set_is_trained_by_steps_and_validated_as_often() -> None:
    one = schedule("epochs=4", "min_steps=50", "batch_size=10")
    assert not one.length.goes_by_epochs(104)
    assert ends(one, 104) == [12, 25, 37, 50]
    assert one.length.passes(12, 104) == pytest.approx(12 / 11, abs=1e-3)


def test_a_training_that_goes_on_from_any_step_ends_with_the_schedule() -> None:
    one = schedule("epochs=7", "min_steps=60", "batch_size=10")
    own = ends(one, 30)
    assert len(own) == 7
    for step in range(60):
        assert one.length.end_of_stretch(step, 30) == next(end for end in own if end > step)


@pytest.mark.parametrize(
    ("count", "size"), [(5, 32), (256, 32), (432, 54), (433, 55), (2048, 256), (60_000, 256)]
)
def test_the_batch_of_a_small_set_is_an_eighth_of_it(count: int, size: int) -> None:
    assert schedule("batch_size=null").length.batch_of(count) == size
    assert schedule("batch_size=7").length.batch_of(count) == 7


@pytest.mark.parametrize(("count", "size"), [(5, 32), (216, 54), (1024, 256), (60_000, 256)])
def test_a_head_takes_a_quarter_of_a_small_set(count: int, size: int) -> None:
    head = experiment("head=finetune").head
    assert isinstance(head, Schedule)
    assert head.length.batch_of(count) == size
