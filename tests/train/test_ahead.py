"""Reading ahead changes no order, loses nothing and tells of errors."""

import threading
from collections.abc import Iterator

import pytest

from ae_cls.train.ahead import ahead


def test_items_come_in_order_and_all_of_them():
    assert list(ahead(iter(range(50)))) == list(range(50))
    assert list(ahead(iter([]))) == []


def test_the_next_item_is_made_while_one_is_in_use():
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        made.set()
        yield 1

    coming = ahead(items())
    assert next(coming) == 0
    assert made.wait(timeout=10)  # though the second was not asked for yet
    coming.close()


def test_an_error_comes_after_the_items_before_it():
    def items() -> Iterator[int]:
        yield 0
        raise OSError("the disk is gone")

    coming = ahead(items())
    assert next(coming) == 0
    with pytest.raises(OSError, match="the disk is gone"):
        next(coming)


def test_no_thread_is_left_behind_when_the_loop_stops_early():
    before = threading.active_count()
    coming = ahead(iter(range(1000)))
    next(coming)
    coming.close()
    assert threading.active_count() == before
