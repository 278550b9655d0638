"""The one exception for what a user can put right; the command line prints it as a single line and exits (1, or 2)."""

from __future__ import annotations


class S2DError(Exception):
    """A user's mistake or a fault of the user's machine: says what was asked, why it failed, what to do instead.

    >>> str(S2DError("cannot open clip.mp4", "no such file", "check the path"))
    'cannot open clip.mp4: no such file; check the path'
    """

    def __init__(self, asked: str, why: str = "", remedy: str = "") -> None:
        """Always say why: only torch does not, which makes errors of its loader processes anew from their traceback.

        The last line of that text is the error's own line, and all that is kept of it.
        """
        if not why:
            asked = asked.strip().splitlines()[-1].removeprefix(f"{type(self).__module__}.{type(self).__qualname__}: ")
        self.asked, self.why, self.remedy = asked, why, remedy
        asked, why, remedy = (" ".join(part.split()) for part in (asked, why, remedy))
        super().__init__(asked + (f": {why}" if why else "") + (f"; {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[S2DError], tuple[str, str, str]]:
        """Survive the trip back from a worker process with all three parts."""
        return type(self), (self.asked, self.why, self.remedy)


class UsageError(S2DError):
    """A value that no state of files or machine would make right, such as an unknown name: exit code 2."""
