"""The errors a user can meet, each one sentence: what was wrong, what exists, what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class PipelineError(Exception):
    """Base of every error that is shown to a user as words instead of a stack trace."""


class UnknownName(PipelineError):
    """A name that is not one of a known set."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        super().__init__(
            f"Unknown {kind} '{name}'.{did_you_mean(name, known)} Known: {', '.join(known) or 'none'}."
        )


class InvalidInput(PipelineError):
    """One or more faults in what was given; all are listed, nothing was done."""

    def __init__(self, what: str, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        listing = self.faults[0] if len(faults) == 1 else "".join(f"\n  - {fault}" for fault in faults)
        super().__init__(f"{what}: {listing}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A leading-blank suggestion sentence, or an empty string when nothing is close."""
    return "".join(f" Did you mean '{match}'?" for match in get_close_matches(name, list(known), n=1))
