"""Calls side by side, on threads that never keep the program from ending.

Not concurrent.futures: its threads are waited for at exit, and one that hangs in a socket
would hold up the `q` of the user.
"""

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Final, TypeVar

from console.clock import Deadline

T = TypeVar("T")
R = TypeVar("R")

WORKERS: Final = 8


def side_by_side(
    call: Callable[[T], R], items: Sequence[T], deadline: Deadline, workers: int = WORKERS
) -> list[R]:
    """`call` of each item, results in their order.

    Raises the first error, or TimeoutError at the deadline; calls still under way then are
    left to end by themselves.
    """
    if len(items) <= 1:
        return [call(item) for item in items]
    todo: SimpleQueue[tuple[int, T]] = SimpleQueue()
    for numbered in enumerate(items):
        todo.put(numbered)
    done: SimpleQueue[tuple[int, R | None, BaseException | None]] = SimpleQueue()
    enough = Event()

    def work() -> None:
        while not enough.is_set():
            try:
                number, item = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((number, call(item), None))
            except BaseException as error:
                done.put((number, None, error))
                return

    for _ in range(min(workers, len(items))):
        Thread(target=work, name="engine call", daemon=True).start()
    try:
        return _collected(done, len(items), deadline)
    finally:
        enough.set()


def _collected(
    done: "SimpleQueue[tuple[int, R | None, BaseException | None]]", count: int, deadline: Deadline
) -> list[R]:
    results: dict[int, R] = {}
    while len(results) < count:
        try:
            number, result, error = done.get(timeout=deadline.timeout())
        except Empty:
            raise TimeoutError("no complete answer in time") from None
        if error is not None:
            raise error
        results[number] = result  # type: ignore[assignment]
    return [results[number] for number in range(count)]
