"""The next batch is read while this one trains."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items in the same order, each made in a thread while its predecessor is in use.

    An exception in making an item comes when that item is asked for.
    """
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items)
        while True:
            try:
                item = coming.result()
            except StopIteration:
                return
            coming = thread.submit(next, items)
            yield item
