"""Settings: all faults together, no value in a message, a sample file that stays true (X-11)."""

import dataclasses
import json
from pathlib import Path
from typing import Final

import pytest

from shared.settings import EU_REGIONS, Settings, SettingsError

ROOT: Final = Path(__file__).parent.parent
TENANT: Final = "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"
GUID: Final = "7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"
INSIGHTS: Final = (
    f"InstrumentationKey={GUID};"
    "IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/"
)

GOOD: Final = {
    "DEPLOYMENT_REGION": "westeurope",
    "PUBLIC_BASE_URL": "https://flowrunner.example.com/api",
    "TABLES_ENDPOINT": "https://flowrunner.table.core.windows.net",
    "BACKUP_ENDPOINT": "https://flowrunnerbackup.blob.core.windows.net",
    "KEY_VAULT_URI": "https://flowrunner.vault.azure.net",
    "AZURE_CLIENT_ID": GUID,
    "ENTRA_CLIENT_ID": GUID,
    "ENTRA_ADDIN_CLIENT_IDS": GUID,
    "ENTRA_ACCEPT_V1_TOKENS": "false",
    "ENTRA_ON_BEHALF_OF": "true",
    "ENTRA_ADMIT_GUESTS": "true",
    "GOOGLE_CLIENT_IDS": "1234-abc.apps.googleusercontent.com",
    "GOOGLE_ADMIN_SUBJECTS": "fabrikam.example.com:1098",
    "ALLOWED_TENANTS": "*",
    "TENANT_REGIONS": f"{TENANT}=northeurope=https://ne.example.com/api",
    "ADDIN_ORIGINS": "https://addin.example.com",
    "ADDIN_RETURN_URLS": "https://addin.example.com/done",
    "SALESFORCE_CLIENT_ID": "3MVG9.key",
    "SALESFORCE_LOGIN_HOST": "login.salesforce.com",
    "SENTRY_DSN": "https://0123456789abcdef0123456789abcdef@o1.ingest.de.sentry.io/1",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": INSIGHTS,
}

REQUIRED: Final = (
    "DEPLOYMENT_REGION",
    "PUBLIC_BASE_URL",
    "TABLES_ENDPOINT",
    "BACKUP_ENDPOINT",
    "KEY_VAULT_URI",
    "ENTRA_CLIENT_ID",
    "ENTRA_ON_BEHALF_OF",
    "ALLOWED_TENANTS",
    "SALESFORCE_CLIENT_ID",
    "SALESFORCE_LOGIN_HOST",
)


def read(**changes: str) -> Settings:
    return Settings.from_environ({**GOOD, **changes})


def faults(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ(environ)
    return str(refused.value)


def test_good_settings_are_read() -> None:
    settings = read()

    assert settings.deployment_region == "westeurope"
    assert settings.azure_client_id == GUID
    assert settings.entra_addin_client_ids == (GUID,)
    assert (settings.entra_accept_v1_tokens, settings.entra_on_behalf_of) == (False, True)
    assert settings.entra_admit_guests
    assert settings.google_admin_subjects == {"fabrikam.example.com:1098"}
    assert settings.allowed_tenants is None
    assert settings.tenant_regions == {TENANT: ("northeurope", "https://ne.example.com/api")}
    assert settings.callback_url == "https://flowrunner.example.com/api/v1/salesforce/callback"
    assert settings.sentry_dsn == GOOD["SENTRY_DSN"]
    assert settings.applicationinsights_connection_string == INSIGHTS


def test_each_setting_is_a_field_in_upper_case() -> None:
    assert {field.name.upper() for field in dataclasses.fields(Settings)} == set(GOOD)


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize(
    "value", [None, "", "   ", "\n\t"], ids=["missing", "empty", "spaces", "white-space"]
)
def test_a_required_setting_that_is_not_there_is_named(name: str, value: str | None) -> None:
    environ = {key: text for key, text in GOOD.items() if key != name}
    if value is not None:
        environ[name] = value

    assert f"{name} is missing" in faults(environ)


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("<your-value-here>", id="a-placeholder"),
        pytest.param("  <your value>  ", id="a-placeholder-in-spaces"),
        pytest.param("@Microsoft.KeyVault(SecretUri=https://x)", id="an-unresolved-reference"),
    ],
)
def test_a_required_setting_that_was_never_filled_in_is_named(name: str, value: str) -> None:
    assert f"{name} still holds a placeholder" in faults({**GOOD, name: value})


@pytest.mark.parametrize("name", sorted(set(GOOD) - set(REQUIRED)))
def test_every_other_setting_may_be_missing(name: str) -> None:
    Settings.from_environ({key: value for key, value in GOOD.items() if key != name})
    read(**{name: "  "})


def test_all_faults_are_told_together() -> None:
    told = faults({})

    assert all(f"{name} is missing" in told for name in REQUIRED)

    wrong = faults(dict.fromkeys(GOOD, "canary"))
    assert all(name in wrong for name in set(GOOD) - {"SALESFORCE_CLIENT_ID"})


def test_no_value_stands_in_the_message() -> None:
    """Each setting gets a value that is wrong, and that would be found."""
    environ = {name: f"canary-{name}" for name in GOOD if name != "SALESFORCE_CLIENT_ID"}
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ(environ)

    assert "canary" not in str(refused.value) + repr(refused.value)
    assert refused.value.__context__ is None or "canary" not in repr(refused.value.__context__)


def test_surrounding_white_space_is_no_part_of_a_value() -> None:
    settings = read(DEPLOYMENT_REGION=" westeurope\n", ENTRA_ON_BEHALF_OF=" true ")

    assert settings.deployment_region == "westeurope"
    assert settings.entra_on_behalf_of


def test_entra_is_asked_again_or_not_and_somebody_said_which() -> None:
    assert read(ENTRA_ON_BEHALF_OF="true").entra_on_behalf_of
    assert not read(ENTRA_ON_BEHALF_OF="false").entra_on_behalf_of


@pytest.mark.parametrize("value", [None, "", "  ", "false"])
def test_guests_are_let_in_only_where_the_setting_says_so(value: str | None) -> None:
    environ = {name: text for name, text in GOOD.items() if name != "ENTRA_ADMIT_GUESTS"}
    if value is not None:
        environ["ENTRA_ADMIT_GUESTS"] = value

    assert not Settings.from_environ(environ).entra_admit_guests
    assert read(ENTRA_ADMIT_GUESTS="true").entra_admit_guests


@pytest.mark.parametrize("region", EU_REGIONS)
def test_a_region_of_the_eu_is_accepted(region: str) -> None:
    assert read(DEPLOYMENT_REGION=region).deployment_region == region


@pytest.mark.parametrize(
    "region",
    ["eastus", "uksouth", "switzerlandnorth", "norwayeast", "WestEurope", "west europe", "europe"],
)
def test_no_other_region_is(region: str) -> None:
    assert "DEPLOYMENT_REGION is not an EU region" in faults({**GOOD, "DEPLOYMENT_REGION": region})


def test_the_regions_are_a_fixed_list_inside_the_union() -> None:
    """Adding one is a decision about where customers' data may live."""
    assert EU_REGIONS == (
        "francecentral",
        "germanywestcentral",
        "italynorth",
        "northeurope",
        "spaincentral",
        "swedencentral",
        "westeurope",
    )


WRONG_ADDRESSES: Final = [
    pytest.param("http://flowrunner.example.com/api", id="http"),
    pytest.param("flowrunner.example.com/api", id="no-scheme"),
    pytest.param("//flowrunner.example.com", id="scheme-relative"),
    pytest.param("https://", id="no-host"),
    pytest.param("https:///api", id="an-empty-host"),
    pytest.param("https://user@flowrunner.example.com", id="user-information"),
    pytest.param("https://user:pass@flowrunner.example.com", id="credentials"),
    pytest.param("https://@flowrunner.example.com", id="empty-user-information"),
    pytest.param("https://flowrunner.example.com/api?x=1", id="a-query"),
    pytest.param("https://flowrunner.example.com/api?", id="an-empty-query"),
    pytest.param("https://flowrunner.example.com/api#x", id="a-fragment"),
    pytest.param("https://flowrunner.example.com/api#", id="an-empty-fragment"),
    pytest.param("https://flowrunner.example.com:0/api", id="port-zero"),
    pytest.param("https://flowrunner.example.com:99999/api", id="a-port-too-large"),
    pytest.param("https://flowrunner.example.com:http/api", id="a-port-that-is-none"),
    pytest.param("https://[::1", id="an-unclosed-bracket"),
    pytest.param("https://flow runner.example.com", id="a-space"),
    pytest.param("https://evil.test\\@flowrunner.example.com", id="a-backslash"),
    pytest.param("https://flowrünner.example.com", id="beyond-ascii"),
    pytest.param("https://flowrunner.example.com/\x00", id="a-nul"),
    pytest.param("javascript:alert(1)", id="a-script"),
]


@pytest.mark.parametrize(
    "name", ["PUBLIC_BASE_URL", "TABLES_ENDPOINT", "BACKUP_ENDPOINT", "KEY_VAULT_URI"]
)
@pytest.mark.parametrize("address", WRONG_ADDRESSES)
def test_an_address_is_https_and_nothing_but_an_address(name: str, address: str) -> None:
    assert f"{name} is not an https address" in faults({**GOOD, name: address})


@pytest.mark.parametrize("address", WRONG_ADDRESSES)
def test_a_return_address_is_https_and_nothing_but_an_address(address: str) -> None:
    assert "ADDIN_RETURN_URLS is not" in faults({**GOOD, "ADDIN_RETURN_URLS": address})


def test_an_address_loses_its_last_slash() -> None:
    assert read(PUBLIC_BASE_URL="https://a.example.com/api/").callback_url == (
        "https://a.example.com/api/v1/salesforce/callback"
    )


@pytest.mark.parametrize(
    "origin",
    [
        "https://addin.example.com",
        "https://addin.example.com:8443",
        "https://127.0.0.1:7072",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    ],
)
def test_an_origin_is_read_to_the_letter(origin: str) -> None:
    assert read(ADDIN_ORIGINS=f"{origin}, ").addin_origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("*", id="a-wildcard"),
        pytest.param("null", id="null"),
        pytest.param("https://*.example.com", id="a-wildcard-host"),
        pytest.param("https://addin.example.com/", id="a-trailing-slash"),
        pytest.param("https://addin.example.com/x", id="a-path"),
        pytest.param("https://addin.example.com?", id="an-empty-query"),
        pytest.param("https://Addin.example.com", id="upper-case"),
        pytest.param("http://addin.example.com", id="http"),
        pytest.param("addin.example.com", id="no-scheme"),
        pytest.param("chrome-extension://abc", id="an-extension-id-too-short"),
        pytest.param("chrome-extension://" + "q" * 32, id="an-extension-id-of-other-letters"),
        pytest.param("chrome-extension://" + "a" * 32 + "/", id="an-extension-with-a-slash"),
        pytest.param("chrome-extension://*", id="every-extension"),
        pytest.param("moz-extension://" + "a" * 32, id="another-browser"),
    ],
)
def test_what_browsers_never_send_as_an_origin_is_refused(origin: str) -> None:
    assert "ADDIN_ORIGINS is not" in faults({**GOOD, "ADDIN_ORIGINS": origin})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AZURE_CLIENT_ID", "not-a-guid"),
        ("AZURE_CLIENT_ID", GUID.upper()),
        ("AZURE_CLIENT_ID", "<client id>"),
        ("ENTRA_CLIENT_ID", f"api://{GUID}"),
        ("ENTRA_CLIENT_ID", f"{GUID}0"),
        ("ENTRA_CLIENT_ID", GUID.upper()),
        ("ENTRA_ADDIN_CLIENT_IDS", f"{GUID},x"),
        ("ENTRA_ADDIN_CLIENT_IDS", f"{GUID};{GUID}"),
        ("ENTRA_ACCEPT_V1_TOKENS", "True"),
        ("ENTRA_ACCEPT_V1_TOKENS", "1"),
        ("ENTRA_ON_BEHALF_OF", "yes"),
        ("ENTRA_ON_BEHALF_OF", "<true>"),
        ("ENTRA_ON_BEHALF_OF", "True"),
        ("ENTRA_ON_BEHALF_OF", "1"),
        ("ENTRA_ADMIT_GUESTS", "yes"),
        ("ENTRA_ADMIT_GUESTS", "<true>"),
        ("GOOGLE_CLIENT_IDS", "1234"),
        ("GOOGLE_CLIENT_IDS", "1234.apps.googleusercontent.com.evil.example.com"),
        ("GOOGLE_ADMIN_SUBJECTS", "1098"),
        ("GOOGLE_ADMIN_SUBJECTS", "admin@fabrikam.example.com"),
        ("GOOGLE_ADMIN_SUBJECTS", "fabrikam.example.com:abc"),
        ("ALLOWED_TENANTS", GUID),
        ("ALLOWED_TENANTS", f"ms-{GUID.upper()}"),
        ("ALLOWED_TENANTS", "fabrikam.example.com"),
        ("ALLOWED_TENANTS", "g:fabrikam"),
        ("ALLOWED_TENANTS", f"{TENANT},*"),
        ("TENANT_REGIONS", TENANT),
        ("TENANT_REGIONS", f"{TENANT}=northeurope"),
        ("TENANT_REGIONS", f"{TENANT}=eastus=https://us.example.com/api"),
        ("TENANT_REGIONS", f"{TENANT}=northeurope=http://ne.example.com/api"),
        ("TENANT_REGIONS", "x=northeurope=https://ne.example.com/api"),
        ("SALESFORCE_LOGIN_HOST", "https://login.salesforce.com"),
        ("SALESFORCE_LOGIN_HOST", "login.salesforce.com.evil.example.com"),
        ("SENTRY_DSN", "https://0123456789abcdef0123456789abcdef@o1.ingest.us.sentry.io/1"),
        ("SENTRY_DSN", "https://0123456789abcdef0123456789abcdef@sentry.example.com/1"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", f"InstrumentationKey={GUID}"),
        (
            "APPLICATIONINSIGHTS_CONNECTION_STRING",
            INSIGHTS.replace("westeurope-5", "eastus-5"),
        ),
    ],
)
def test_a_setting_of_the_wrong_form_is_named(name: str, value: str) -> None:
    told = faults({**GOOD, name: value})

    assert told.startswith(f"settings: {name} ")
    assert len(value) == 1 or value not in told


def test_every_tenant_may_come_only_where_the_setting_says_so() -> None:
    assert read(ALLOWED_TENANTS="*").allowed_tenants is None
    named = read(ALLOWED_TENANTS=f" {TENANT} , g:a.example.com ,").allowed_tenants
    assert named == frozenset({TENANT, "g:a.example.com"})


@pytest.mark.parametrize("value", [",", " , ,, "])
def test_a_list_of_nobody_does_not_start(value: str) -> None:
    """It would refuse everybody, and look like a service that works."""
    assert faults({**GOOD, "ALLOWED_TENANTS": value}) == "settings: ALLOWED_TENANTS names nobody"


def test_a_tenant_that_is_missing_is_told_once() -> None:
    assert faults({**GOOD, "ALLOWED_TENANTS": " "}) == "settings: ALLOWED_TENANTS is missing"


@pytest.mark.parametrize("region", ["northeurope", "westeurope"])
def test_a_tenant_that_is_to_live_in_two_places_does_not_start(region: str) -> None:
    """Even where both say the same: of two lines, one will be changed."""
    twice = f"{GOOD['TENANT_REGIONS']}, {TENANT}={region}=https://ne.example.com/api"

    assert faults({**GOOD, "TENANT_REGIONS": twice}) == (
        "settings: TENANT_REGIONS names a tenant twice"
    )


def test_several_tenants_may_live_elsewhere() -> None:
    two = f"{GOOD['TENANT_REGIONS']},g:a.example.com=westeurope=https://we.example.com/api"

    assert set(read(TENANT_REGIONS=two).tenant_regions) == {TENANT, "g:a.example.com"}


def test_the_sample_file_names_every_setting_and_no_other() -> None:
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    of_the_host = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"}

    assert sample["IsEncrypted"] is False
    assert set(sample["Values"]) == set(GOOD) | of_the_host
    assert sample["Values"]["FUNCTIONS_WORKER_RUNTIME"] == "python"


def test_the_sample_file_is_accepted_and_every_value_is_used() -> None:
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))

    settings = Settings.from_environ(sample["Values"])

    empty = [
        field.name
        for field in dataclasses.fields(settings)
        if getattr(settings, field.name) in (None, "", (), frozenset(), {})
    ]
    assert empty == []
    assert settings.deployment_region in EU_REGIONS
