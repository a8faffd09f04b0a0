"""What ends a command early, each with one line for stderr."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Unusable input (exit status 2): names the thing and the rule."""


class RunFailed(Exception):
    """A mismatch, or a run that failed (exit status 1)."""


@contextmanager
def user_input() -> Iterator[None]:
    """Inside, a refusal (ValueError) or a file that cannot be used is the user's to mend."""
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise UserError(f"{name}{error.strerror or error}") from error
