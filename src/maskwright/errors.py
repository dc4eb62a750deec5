"""Every error maskwright raises on purpose.

    MaskwrightError                 exit 1   what happened, and what to do next
      InputError                    exit 2   something the user gave is unusable
        BadImage, BadVideo, BadMask, BadPrompt, BadSettings, BadPhrase
      MissingError                  exit 3   something has to be installed, fetched or unlocked first
        MissingPackage, MissingWeights, MissingModel, MissingKey, MissingData
      WeightsError                  exit 4   weights are there but must not or cannot be used
      ModelError                    exit 5   a model failed while working
        OutOfMemory, EngineDown, EngineRefused, BadReply
      BudgetSpent                   exit 6   a limit of calls, tokens, money or seconds is reached
      Cancelled                     exit 7   the user stopped it
      RunError                      exit 8   a run folder cannot be used as asked
        RunLocked, RunMismatch, StepFailed
      StorageError                  exit 9   a disk is full, read-only or gone
      WorkerError                   exit 10  a process of another environment failed
      RefusedError                  exit 11  asked for something this product does not do
      Busy                          exit 12  a queue is full; `retry_after_s` says when to try again

Every message has at most two lines: what happened (with the file or setting), then what to do.
"""

from __future__ import annotations


class MaskwrightError(Exception):
    """What happened and what to do next; `hint` is the second line."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return (type(self), (self.message, self.hint))


class InputError(MaskwrightError, ValueError):
    exit_code = 2


class BadImage(InputError):
    pass


class BadVideo(InputError):
    pass


class BadMask(InputError):
    pass


class BadPrompt(InputError):
    pass


class BadPhrase(InputError):
    pass


class BadSettings(InputError):
    pass


class MissingError(MaskwrightError):
    exit_code = 3


class MissingPackage(MissingError):
    pass


class MissingWeights(MissingError):
    pass


class MissingModel(MissingError):
    pass


class MissingKey(MissingError):
    pass


class MissingData(MissingError):
    pass


class WeightsError(MaskwrightError):
    exit_code = 4


class ModelError(MaskwrightError):
    exit_code = 5


class OutOfMemory(ModelError):
    pass


class EngineDown(ModelError):
    """An endpoint that may come back: worth another try later."""


class EngineRefused(ModelError):
    """An endpoint that will not answer this however often it is asked (401, quota, filter)."""


class BadReply(ModelError):
    """A model answered, but not in the form asked for."""


class BudgetSpent(MaskwrightError):
    exit_code = 6


class Cancelled(MaskwrightError):
    exit_code = 7


class RunError(MaskwrightError):
    exit_code = 8


class RunLocked(RunError):
    pass


class RunMismatch(RunError):
    pass


class StepFailed(RunError):
    pass


class StorageError(MaskwrightError):
    exit_code = 9


class WorkerError(MaskwrightError):
    exit_code = 10


class RefusedError(MaskwrightError):
    exit_code = 11


class Busy(MaskwrightError):
    exit_code = 12

    def __init__(self, message: str, hint: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[type, tuple[str, str, float]]:  # type: ignore[override]
        return (type(self), (self.message, self.hint, self.retry_after_s))
