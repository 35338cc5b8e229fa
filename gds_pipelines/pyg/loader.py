"""Work ahead in a background thread: the next batches are drawn while the model trains on this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from gds_pipelines.errors import InvalidInput

Item = TypeVar("Item")
_END = object()


class Prefetch(Generic[Item]):
    """Any iterable, such as a ``NodeLoader``, read up to ``depth`` items ahead by a thread of its own.

    Every pass over it starts anew. An error of the iterable is raised where its item would have come.
    Leaving a pass early ends its thread once the item under way is there.

    Args:
        depth: items that wait at most, beside the one in use and the one being made.
    Raises:
        InvalidInput: for a depth below 1.
    """

    def __init__(self, items: Iterable[Item], depth: int = 2) -> None:
        if depth < 1:
            raise InvalidInput("Nothing can be fetched ahead", [f"depth is {depth}; it must be at least 1."])
        self._items, self._depth = items, depth

    def __len__(self) -> int:
        return len(self._items)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Item]:
        waiting: queue.Queue = queue.Queue(self._depth)
        left = threading.Event()

        def offer(item: object) -> bool:
            while not left.is_set():
                try:
                    waiting.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def work() -> None:
            items = iter(self._items)
            try:
                for item in items:
                    if not offer((item, None)):
                        return
            except BaseException as error:
                offer((None, error))
            else:
                offer(_END)
            finally:
                close = getattr(items, "close", None)
                if close is not None:
                    close()

        worker = threading.Thread(target=work, name="gnn4j-prefetch", daemon=True)
        worker.start()
        try:
            while (got := waiting.get()) is not _END:
                item, error = got
                if error is not None:
                    raise error
                yield item
        finally:
            left.set()
            worker.join()
