"""The settings of the local service: what a deployment would hold, with the stack's addresses."""

from local import scene
from local.stack_info import StackInfo


def service_environment(info: StackInfo) -> dict[str, str]:
    """Everything that `Settings.from_environ` and the managed identity read."""
    return {
        "DEPLOYMENT_REGION": "westeurope",
        "PUBLIC_BASE_URL": f"{info.service_https}/api",
        "TABLES_ENDPOINT": info.tables,
        "BACKUP_ENDPOINT": info.blobs,
        "KEY_VAULT_URI": f"https://{scene.KEY_VAULT_HOST}",
        "ENTRA_CLIENT_ID": scene.ENTRA_API_CLIENT_ID,
        "ENTRA_ADDIN_CLIENT_IDS": scene.ENTRA_ADDIN_CLIENT_ID,
        "ENTRA_ACCEPT_V1_TOKENS": "false",
        "ENTRA_ON_BEHALF_OF": "true",
        "ENTRA_ADMIT_GUESTS": "false",
        "GOOGLE_CLIENT_IDS": scene.GOOGLE_CLIENT_ID,
        "GOOGLE_ADMIN_SUBJECTS": f"{scene.GOOGLE_DOMAIN}:{scene.GOOGLE_ADMINISTRATOR}",
        "ALLOWED_TENANTS": "*",
        "TENANT_REGIONS": "",
        "ADDIN_ORIGINS": f"{info.sidebar},{scene.EXTENSION_ORIGIN}",
        "ADDIN_RETURN_URLS": f"{info.sidebar}/connected.html",
        "SALESFORCE_CLIENT_ID": scene.SALESFORCE_CLIENT_ID,
        "SALESFORCE_LOGIN_HOST": scene.SALESFORCE_LOGIN_HOSTS[0],
        "SENTRY_DSN": scene.SENTRY_DSN,
        "APPLICATIONINSIGHTS_CONNECTION_STRING": scene.APP_INSIGHTS_CONNECTION,
        # The App Service form of the managed identity's endpoint.
        "IDENTITY_ENDPOINT": info.identity_endpoint,
        "IDENTITY_HEADER": scene.IDENTITY_HEADER,
    }
