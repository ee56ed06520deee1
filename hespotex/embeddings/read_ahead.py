"""What is needed next is read while the last is worked on."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def read_ahead(read: Callable[[S], T], items: Iterable[S], workers: int) -> Iterator[T]:
    """`read` of each item in order, by threads that are at most two items a thread ahead of who
    asks.
    """
    with closing(begun_ahead(read, items, workers, 2 * workers)) as readings:
        for reading in readings:
            yield reading.result()


def begun_ahead(
    read: Callable[[S], T], items: Iterable[S], workers: int, most: int
) -> Generator[Future[T], None, None]:
    """The same, at most `most` items ahead; what each gave, or raised, is in its future."""
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > most:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
