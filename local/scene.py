"""The made-up world of the local stack: names, ids and secrets that exist on this machine alone.

The service believes that it runs in production: every host name here is a production host name,
and the network that the local stack injects (`local/network.py`) pins it to a simulator. The
secrets below open nothing but the simulators.
"""

from typing import Final

# --- Microsoft Entra ID ---------------------------------------------------------------------
ENTRA_HOST: Final = "login.microsoftonline.com"
ENTRA_TENANT: Final = "7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"  # contoso
ENTRA_API_CLIENT_ID: Final = "5d0f6c2e-8a41-4b7d-b1c9-0e3a7f925d18"  # audience of tokens for us
ENTRA_ADDIN_CLIENT_ID: Final = "9b3d7e14-6c02-4f58-a8e1-d47c50b2f369"  # the add-in itself
ENTRA_SERVICE_CLIENT_SECRET: Final = "local-entra-client-secret"  # noqa: S105 - simulator's clients

EXTENSION_ORIGIN: Final = "chrome-extension://" + "abcdefghijklmnop" * 2  # the Gmail extension

# --- Google ---------------------------------------------------------------------------------
GOOGLE_HOSTS: Final = ("accounts.google.com", "www.googleapis.com", "oauth2.googleapis.com")
GOOGLE_CLIENT_ID: Final = "123498781920-local.apps.googleusercontent.com"
GOOGLE_DOMAIN: Final = "fabrikam.example.com"
GOOGLE_ADMINISTRATOR: Final = "103925517708846120394"  # the subject of the domain's administrator

# --- Salesforce -----------------------------------------------------------------------------
SALESFORCE_LOGIN_HOSTS: Final = ("login.salesforce.com", "test.salesforce.com")
SALESFORCE_ORG_HOSTS: Final = ("*.my.salesforce.com", "*.sandbox.my.salesforce.com")
SALESFORCE_CLIENT_ID: Final = "3MVG9local.FlowRunner.ExternalClientApp"
SALESFORCE_CLIENT_SECRET: Final = "local-salesforce-consumer-secret"  # noqa: S105 - simulator's
SALESFORCE_ORG_ID: Final = "00D5g00000CONTOEA5"
LIGHTNING_OUT_APP_ID: Final = "1Us5g000000wXyZCAU"
SALESFORCE_ORG_HOST: Final = "contoso.my.salesforce.com"

# --- Azure ----------------------------------------------------------------------------------
KEY_VAULT_HOST: Final = "flowrunner-local.vault.azure.net"
KEY_VAULT_TENANT: Final = "e0a9c7d2-51b8-4c3f-8f06-6a2b9d4e7c15"  # the operator's own directory
IDENTITY_HEADER: Final = "local-identity-header"
STORAGE_ACCOUNT: Final = "devstoreaccount1"  # the account that Azurite is born with

# --- Telemetry ------------------------------------------------------------------------------
SENTRY_HOST: Final = "o1.ingest.de.sentry.io"
SENTRY_DSN: Final = f"https://0123456789abcdef0123456789abcdef@{SENTRY_HOST}/1"
APP_INSIGHTS_HOST: Final = "westeurope-5.in.applicationinsights.azure.com"
APP_INSIGHTS_KEY: Final = "c4b1f0d6-2e97-4a53-b8d4-91f3a6705e2c"
APP_INSIGHTS_CONNECTION: Final = (
    f"InstrumentationKey={APP_INSIGHTS_KEY};IngestionEndpoint=https://{APP_INSIGHTS_HOST}/"
)

# --- Names in Key Vault: the same as in production ---------------------------------------------
SECRET_SALESFORCE: Final = "salesforce-client-secret"  # noqa: S105 - a name
SECRET_SESSION_SIGNING: Final = "session-signing-key"  # noqa: S105 - a name
KEY_TENANT_KEK: Final = "tenant-kek"  # RSA-3072, wrapKey and unwrapKey
KEY_RECEIPT_SIGNING: Final = "receipt-signing"  # P-256, sign and verify
