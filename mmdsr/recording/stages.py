"""Overlapping steps: each runs in its own thread, with bounded queues.

Decoding, matching, the network and encoding release Python's lock while
they compute, so that they run in parallel.
"""

import queue
import threading
from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar('T')
Flow: TypeAlias = Generator[T, None, None]

_END = object()


def ahead(items: Flow[T], size: int = 2) -> Flow[T]:
    """Compute items in another thread while the last ones are used.

    An error of that thread is raised here. When this generator is closed,
    the other one is, too, in its own thread.

    Args:
        items: The items.
        size: Maximum number of waiting items.

    Yields:
        The items, in order.
    """
    waiting: queue.Queue = queue.Queue(size)
    stop = threading.Event()

    def put(item: object) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    break
            else:
                put((_END, None))
        except BaseException as error:  # for the one who asks
            put((_END, error))
        finally:
            items.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stop.set()
        thread.join()


def steps(items: Flow[T], overlap: bool, size: int = 2) -> Flow[T]:
    """Return items computed :func:`ahead`, or one by one.

    Args:
        items: The items.
        overlap: Whether to compute in another thread.
        size: Maximum number of waiting items.
    """
    return ahead(items, size) if overlap else items
