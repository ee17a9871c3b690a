"""Every exception that fijibridge raises on purpose.

Each message is one sentence that says what was wrong, what was found and what to do. What another program said of it
(ImageJ's own words, a log) stands in `detail`, so that the sentence stays readable.
"""

from __future__ import annotations


class FijibridgeError(Exception):
    """Parent of every error of this package; catching it catches what the user can mend."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process boundaries (workers): keep `detail` and the subclasses' own attributes.
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(kind: type[FijibridgeError], args: tuple[str, ...], state: dict[str, object]) -> FijibridgeError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class VolumeError(FijibridgeError):
    """An array is no volume, or two volumes do not lie on the same grid."""


class ParameterError(FijibridgeError):
    """A parameter has a value that the operation cannot take."""


class ReadError(FijibridgeError):
    """A file cannot be read as what it says it is."""


class WriteError(FijibridgeError):
    """A file cannot be written there or in that form."""


class LabelsError(FijibridgeError):
    """Labels do not fit the volume, or hold too little to train on."""


class RecipeError(FijibridgeError):
    """A recipe has a key, an operation or a value that is not known."""


class ModelError(FijibridgeError):
    """A model file is broken, or does not fit the volume."""


class SettingsError(FijibridgeError):
    """A setting (argument, environment variable or config file) has a value that cannot be used."""


class ServiceError(FijibridgeError):
    """The local service does not run, cannot be reached, or refuses what was asked.

    `status` is the HTTP status that goes with it.
    """

    def __init__(self, message: str, *, detail: str = "", status: int = 400) -> None:
        super().__init__(message, detail=detail)
        self.status = status


class EngineMissingError(FijibridgeError):
    """The engine, or a command that it needs, is not there; the message names what to install and the other engine."""


class EngineFailedError(FijibridgeError):
    """ImageJ ran and failed.

    `detail` holds ImageJ's own words, `log` what it had logged by then, `line` the line of the macro where it stopped
    (0 where ImageJ does not say).
    """

    def __init__(self, message: str, *, detail: str = "", log: str = "", line: int = 0) -> None:
        super().__init__(message, detail=detail)
        self.log = log
        self.line = line


class EngineTimeoutError(EngineFailedError):
    """A job ran past its time limit; its worker was ended and replaced."""


class EngineMemoryError(EngineFailedError):
    """Java ran out of its heap; raise `heap`."""


class WorkerDiedError(EngineFailedError):
    """The worker process ended amid a job (killed, crashed, or the macro left ImageJ)."""


class JobCancelledError(EngineFailedError):
    """The caller cancelled the job."""
