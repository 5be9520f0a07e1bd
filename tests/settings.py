"""The settings of a deployment that exists in tests alone."""

from dataclasses import replace
from typing import Any, Final

from local import scene
from shared.settings import Settings

RETURN_URL: Final = "https://addin.example.com/connected.html"

_SETTINGS: Final = Settings(
    deployment_region="westeurope",
    public_base_url="https://flowrunner.example.com/api",
    tables_endpoint="https://flowrunner.table.core.windows.net",
    backup_endpoint="https://flowrunnerbackup.blob.core.windows.net",
    key_vault_uri=f"https://{scene.KEY_VAULT_HOST}",
    azure_client_id=None,
    entra_client_id=scene.ENTRA_API_CLIENT_ID,
    entra_addin_client_ids=(scene.ENTRA_ADDIN_CLIENT_ID,),
    entra_accept_v1_tokens=False,
    entra_on_behalf_of=True,
    entra_admit_guests=False,
    google_client_ids=(scene.GOOGLE_CLIENT_ID,),
    google_admin_subjects=frozenset(),
    allowed_tenants=None,
    tenant_regions={},
    addin_origins=("https://addin.example.com", scene.EXTENSION_ORIGIN),
    addin_return_urls=(RETURN_URL,),
    salesforce_client_id=scene.SALESFORCE_CLIENT_ID,
    salesforce_login_host=scene.SALESFORCE_LOGIN_HOSTS[0],
    sentry_dsn=None,
    applicationinsights_connection_string=None,
)


def settings(**changes: Any) -> Settings:  # noqa: ANN401 - whatever the field's type is
    """Everybody may sign in, and every switch is on, but for what `changes` says."""
    return replace(_SETTINGS, **changes)
