"""How Key Vault says no: `{"error":{"code","message","innererror"}}`.

Codes: https://learn.microsoft.com/azure/key-vault/general/rest-error-codes.
"""

from aiohttp import web


class VaultRefusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault of this program
    """One error answer. `inner` is the code that tells apart what `code` lumps together."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.inner = inner

    def response(self) -> web.Response:
        error: dict[str, object] = {"code": self.code, "message": str(self)}
        if self.inner is not None:
            error["innererror"] = {"code": self.inner}
        return web.json_response({"error": error}, status=self.status)


def unauthorized(message: str) -> VaultRefusal:
    return VaultRefusal(401, "Unauthorized", message)


def bad_parameter(message: str) -> VaultRefusal:
    return VaultRefusal(400, "BadParameter", message)


def not_found(kind: str, identifier: str) -> VaultRefusal:
    """`kind` is `secret` or `key`."""
    return VaultRefusal(
        404,
        f"{kind.capitalize()}NotFound",
        f"A {kind} with (name/id) {identifier} was not found in this key vault. If you recently "
        f"deleted this {kind} you may be able to recover it using the correct recovery command. "
        "For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def still_deleted(kind: str, name: str) -> VaultRefusal:
    return VaultRefusal(
        409,
        "Conflict",
        f"{kind.capitalize()} {name} is currently in a deleted but recoverable state, and its "
        f"name cannot be reused; in this state, the {kind} can only be recovered or purged.",
        "ObjectIsDeletedButRecoverable",
    )


def disabled(kind: str, operation: str) -> VaultRefusal:
    return VaultRefusal(
        403,
        "Forbidden",
        f"Operation {operation} is not allowed on a disabled {kind}.",
        f"{kind.capitalize()}Disabled",
    )


def outside_validity(operation: str) -> VaultRefusal:
    return VaultRefusal(
        403,
        "Forbidden",
        f"Operation {operation} is not allowed on a key that is not yet valid or has expired.",
        "KeyNotYetValidOrExpired",
    )


def not_permitted(operation: str) -> VaultRefusal:
    return VaultRefusal(
        403,
        "Forbidden",
        f"Operation {operation} is not permitted on this key.",
        "KeyOperationForbidden",
    )
