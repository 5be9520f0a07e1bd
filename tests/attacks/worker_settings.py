"""What a deletion worker beside the stack's own service needs: settings, and an identity."""

from local import scene
from local.stack_info import StackInfo
from shared.settings import Settings
from tests.settings import settings


def settings_on(info: StackInfo) -> Settings:
    """The settings of a worker of this stack. Nobody signs in at it, so it asks Entra nothing."""
    return settings(
        tables_endpoint=info.tables,
        backup_endpoint=info.blobs,
        public_base_url=f"{info.service_https}/api",
        entra_on_behalf_of=False,
    )


def identity_environment(info: StackInfo) -> dict[str, str]:
    """Where the managed identity's library finds its endpoint, as in App Service."""
    return {"IDENTITY_ENDPOINT": info.identity_endpoint, "IDENTITY_HEADER": scene.IDENTITY_HEADER}
