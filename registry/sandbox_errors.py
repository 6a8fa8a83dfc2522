"""What can go wrong between us and a sandboxed child.

* SandboxError            every one has .code and .reason, clean and short
  - RunnerUnavailable     no child to be had; nothing wrong with the model
    · Parked              none for now, as it died too often; .retry_after says how long
  - ModelRefused          the artifact cannot be served, .code says why
  - NotLoaded             this child does not hold the model: load it, ask again
  - ModelRaised           the model's own exception on these rows
  - ChildDied             the child ended; .code "host_gone" when it had before it saw the request
  - ChildTimedOut         the deadline passed, the child is being killed
  - BadReply              the answer is none to what was asked
"""


class SandboxError(Exception):
    code = "sandbox_error"

    def __init__(self, reason: str, *, code: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code or self.code


class RunnerUnavailable(SandboxError):
    code = "runner_unavailable"


class Parked(RunnerUnavailable):
    code = "parked"

    def __init__(self, reason: str, *, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ModelRefused(SandboxError):
    code = "unreadable"


class NotLoaded(SandboxError):
    code = "not_loaded"


class ModelRaised(SandboxError):
    code = "model_raised"


class ChildDied(SandboxError):
    code = "model_crashed"


class ChildTimedOut(SandboxError):
    code = "model_timed_out"


class BadReply(SandboxError):
    code = "bad_reply"
