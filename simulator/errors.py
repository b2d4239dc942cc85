"""The errors that a CloudStack server answers: HTTP status, inner code and text of each."""


class ApiError(Exception):
    """A refusal: `code` is the HTTP status and `errorcode`, `detail` the `cserrorcode`."""

    def __init__(self, code: int, text: str, detail: int | None = 9999) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.detail = detail


INTERNAL_ERROR = "Internal error executing command, please contact your system administrator"
UNAUTHORIZED = "unable to verify user credentials and/or request signature"
NOT_OWNER = "Caller does not have permission to operate with provided resource."


def unauthorized() -> ApiError:
    """Refuse a wrong key, a wrong or old signature, or an unknown command, without saying which."""
    return ApiError(401, UNAUTHORIZED, None)


def not_available(command: str, user_id: str) -> ApiError:
    """Refuse a command that the caller's role does not have."""
    return ApiError(
        432,
        f"The API [{command}] does not exist or is not available "
        f"for the account for user id [{user_id}].",
    )


def missing_parameter(command: str, name: str) -> ApiError:
    """Refuse a call without a required parameter."""
    return ApiError(
        431,
        f"Unable to execute API command {command} due to missing parameter {name}",
    )


def invalid_value(command: str, name: str, value: str) -> ApiError:
    """Refuse a value that is not of the parameter's type."""
    return ApiError(
        431,
        f"Unable to execute API command {command} due to invalid value {value} "
        f"for parameter {name}",
    )


def unknown_entity(command: str, name: str, value: str) -> ApiError:
    """Refuse an id that names no resource, or that is not an id."""
    return ApiError(
        431,
        f"Unable to execute API command {command} due to invalid value. "
        f"Invalid parameter {name} value={value} due to incorrect long value format, "
        "or entity does not exist or due to incorrect parameter annotation for the field "
        "in api cmd class.",
    )


def invalid(text: str) -> ApiError:
    """Refuse parameters that contradict each other or the state of the world."""
    return ApiError(431, text, 4350)


def denied(text: str = NOT_OWNER) -> ApiError:
    """Refuse to change what belongs to another account."""
    return ApiError(531, text, 4365)
