"""What people call the parts of a data set."""

import pytest

from ae_cls.dataset.files.parts import like_parts, part_of

WORDS = {
    "train": "train Train TRAINING train_set trainset train-set training_set Train_Images "
    "images_train training-data dataset_train",
    "valid": "val valid Validation VAL validation_set valset dev dev_set PublicTest",
    "test": "test Testing TEST test_set testset test-images holdout hold-out PrivateTest "
    "testing data",
    "unlabelled": "unlabelled unlabeled Unlabeled nolabel no_labels unlabelled_images",
}


@pytest.mark.parametrize(
    ("part", "word"), [(part, word) for part, words in WORDS.items() for word in words.split()
                       if word != "data"]
)  # fmt: skip
def test_the_usual_words_stand_for_parts(part: str, word: str) -> None:
    assert part_of(word) == part


@pytest.mark.parametrize(
    "word",
    [
        "cat",
        "data",
        "dataset",
        "set",
        "images",
        "tested",
        "contest",
        "attest",
        "value",
        "valley",
        "device",
        "trainers",
        "training_shoes",
        "train_station",
        "validated",
        "evaluation",
        "eval",
        "test_tube",
        "label",
        "labelled",
        "x_train",
    ],
)
def test_other_words_do_not(word: str) -> None:
    assert part_of(word) is None


@pytest.mark.parametrize(
    "names",
    [
        ["train_1", "train_2"], ["fold1", "fold2", "fold3"], ["k-fold1", "k-fold2"],
        ["digits_train", "digits_test"], ["digitsTrain", "digitsTest"], ["Split 1", "Split 2"],
        ["train2017", "val2017"], ["tr", "te"], ["trn", "tst"], ["mnist-val", "mnist-train"],
    ],
)  # fmt: skip
def test_folders_that_look_like_parts_are_found(names: list[str]) -> None:
    assert like_parts(names) == sorted(names)


def test_one_folder_that_looks_like_a_part_is_found_among_classes() -> None:
    assert like_parts(["cat", "dog", "eval"]) == ["eval"]
    assert like_parts(["cat", "dog", "test2"]) == ["test2"]


@pytest.mark.parametrize(
    "names",
    [
        ["cat", "dog"], ["train station", "test track"], ["tr", "en", "de"], ["tr"],
        ["fold", "crease"], ["0", "1"], ["split_leaf", "whole_leaf"], ["value", "growth"],
    ],
)  # fmt: skip
def test_classes_do_not_look_like_parts(names: list[str]) -> None:
    assert like_parts(names) == []
