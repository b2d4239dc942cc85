"""What can go wrong between us and CloudStack.

    CloudStackError                 catch this one; str() is fit for a status, never secret
    ├── Unreachable                 nothing usable came back: no connection, timeout, HTML, no JSON
    ├── Throttled                   asked to slow down: `retry_after` seconds
    ├── UnknownZone                 the configured zone is not there
    ├── JobRunning                  our time ended before the job did: `job_id`
    ├── CallStopped                 a command was not begun; it has no `command`
    └── Refused                     CloudStack refused: `command`, `code`, `text`
        └── Unauthorized, InvalidParameter, Forbidden

A job that failed raises the same classes, by its `jobresultcode`, with `failed_job` set. The
codes are those of CloudStack's ApiErrorCode, as observed on 4.22.
"""

#: The code for an address that is taken or out of range, and for no address being left.
ADDRESS_TAKEN = 533
#: The code for a parameter that is missing or bad, and for an id that is unknown.
INVALID_PARAMETER = 431
#: The code for a rule that something on its address is in the way of.
CONFLICT = 537
#: The code for an account, project or domain that has as many addresses as it may.
LIMIT_REACHED = 535


class CloudStackError(Exception):
    """Anything that went wrong with CloudStack.

    Attributes:
        command: the API command's name.
        retry_after: seconds that CloudStack asks us to wait; 0 if it does not ask.
    """

    retry_after = 0.0

    def __init__(self, command: str, message: str) -> None:
        super().__init__(f"{command}: {message}")
        self.command = command


class Unreachable(CloudStackError):
    """Nothing usable came back.

    Attributes:
        sent: the command may have been carried out; when false, it surely was not.
        transient: the same call may work in a moment (no connection, a timeout, a 5xx of a
            gateway), unlike with a wrong address or a certificate that is not trusted.
    """

    def __init__(
        self, command: str, message: str, *, sent: bool = True, transient: bool = False
    ) -> None:
        super().__init__(command, message)
        self.sent = sent
        self.transient = transient


class Throttled(CloudStackError):
    """CloudStack, or a proxy in front of it, asks to be called less often."""

    def __init__(self, command: str, retry_after: float) -> None:
        super().__init__(command, f"too many calls, asked to wait {retry_after:g} s")
        self.retry_after = retry_after


class UnknownZone(CloudStackError):
    """CloudStack shows us no zone with the configured name or id."""

    def __init__(self, command: str, zone: str, known: tuple[str, ...]) -> None:
        there = f"there are {', '.join(known)}" if known else "the account sees none"
        super().__init__(command, f"no zone has the name or id {zone!r}; {there}")


class JobRunning(CloudStackError):
    """The job was accepted and still runs; its result will show in CloudStack's lists."""

    def __init__(self, command: str, job_id: str) -> None:
        super().__init__(command, f"job {job_id} still runs")
        self.job_id = job_id


class CallStopped(CloudStackError):
    """A hook's call stopped before a command was begun."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.command = ""


class Refused(CloudStackError):
    """CloudStack refused, at once or as the outcome of a job.

    Attributes:
        code: CloudStack's error code, an HTTP status such as 431.
        text: CloudStack's own words.
        failed_job: the command had been accepted, its job failed.
    """

    def __init__(
        self, command: str, code: int, text: str, *, failed_job: bool = False, advice: str = ""
    ) -> None:
        more = f"; {advice}" if advice else ""
        super().__init__(command, f"{text} ({code}{', in its job' if failed_job else ''}){more}")
        self.code = code
        self.text = text
        self.failed_job = failed_job


class Unauthorized(Refused):
    """401: unknown key, bad or expired signature, or a command the server does not know."""


class InvalidParameter(Refused):
    """431: a parameter is missing or bad, or an id is unknown."""

    def says_unknown(self, resource_id: str, parameter: str = "id") -> bool:
        """Tell whether CloudStack does not know this id; only the text says so (4.22).

        It uses the same text for another parameter's value, such as an unknown project's.
        """
        return (
            f"parameter {parameter} value={resource_id} " in self.text and "not exist" in self.text
        )


class Forbidden(Refused):
    """432 or 531: the account's role may not call this, or the object is another account's."""


_BY_CODE: dict[int, type[Refused]] = {
    401: Unauthorized,
    INVALID_PARAMETER: InvalidParameter,
    432: Forbidden,
    531: Forbidden,
}


def error_of(
    command: str, code: int, text: str, *, failed_job: bool = False, advice: str = ""
) -> Refused:
    """Return the error of a CloudStack code; a code without a class is Refused.

    `advice` continues the message: what may be wrong, where CloudStack's words do not say it.
    """
    kind = _BY_CODE.get(code, Refused)
    return kind(command, code, text, failed_job=failed_job, advice=advice)
