"""How long work tells what it is doing, whoever is listening."""

from typing import Protocol


class Report(Protocol):
    """Hears of the steps of an installation or a start, and of the bytes that arrive meanwhile."""

    def step(self, text: str, expected: int | None = None) -> None:
        """A step begins; ``expected`` is roughly how many bytes it brings in, None for none."""

    def received(self, name: str, count: int) -> None:
        """``count`` more bytes have arrived, those of ``name``."""


class Silent:
    """Listens to nothing."""

    def step(self, text: str, expected: int | None = None) -> None:
        pass

    def received(self, name: str, count: int) -> None:
        pass
