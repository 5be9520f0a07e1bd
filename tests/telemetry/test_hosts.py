"""Telemetry leaves for the EU or not at all."""

import pytest

from local import scene
from shared.telemetry.hosts import checked_app_insights_connection, checked_sentry_dsn

KEY = scene.APP_INSIGHTS_KEY
REGIONS = ("westeurope", "northeurope")
PUBLIC = "0123456789abcdef0123456789abcdef"
UNSET = ["", "  ", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s/)"]


def connection(endpoint: str) -> str:
    return f"InstrumentationKey={KEY};IngestionEndpoint={endpoint}"


def test_a_dsn_of_the_eu_region_passes() -> None:
    assert checked_sentry_dsn(scene.SENTRY_DSN) == scene.SENTRY_DSN


@pytest.mark.parametrize(
    "dsn",
    [
        f"https://{PUBLIC}@o1.ingest.us.sentry.io/1",
        f"https://{PUBLIC}@o1.ingest.sentry.io/1",
        f"https://{PUBLIC}@sentry.io/1",
        f"http://{PUBLIC}@o1.ingest.de.sentry.io/1",
        f"https://{PUBLIC}:{PUBLIC}@o1.ingest.de.sentry.io/1",
        f"https://{PUBLIC}@o1.ingest.de.sentry.io:8443/1",
        f"https://{PUBLIC}@o1.ingest.de.sentry.io.example.com/1",
        f"https://{PUBLIC}@example.com\\@o1.ingest.de.sentry.io/1",
        f"https://{PUBLIC}@o1xingestxdexsentryxio/1",
        f"https://{PUBLIC}@o1.ingest.de.sentry.io./1",
        f"https://{PUBLIC}@o1.ingest.de.sentry.io/1\n",
        f"https://{PUBLIC}@o1.ingest.de.sentry.io/1?x=1",
        f"https://{PUBLIC}@o\u0661.ingest.de.sentry.io/1",
        "https://o1.ingest.de.sentry.io/1",
        "<your-dsn>",
    ],
)
def test_any_other_dsn_is_refused_and_not_quoted(dsn: str) -> None:
    with pytest.raises(ValueError, match="EU region") as caught:
        checked_sentry_dsn(dsn)
    assert dsn not in str(caught.value)
    assert PUBLIC not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        scene.APP_INSIGHTS_CONNECTION,
        connection("https://northeurope-12.in.applicationinsights.azure.com"),
        scene.APP_INSIGHTS_CONNECTION
        + ";LiveEndpoint=https://westeurope.livediagnostics.monitor.azure.com/"
        + ";ApplicationId=0d5b4f0e-6a52-4d0d-8f0c-3f1f8a7c2b11",
    ],
)
def test_a_connection_string_of_an_allowed_region_passes_unchanged(text: str) -> None:
    assert checked_app_insights_connection(text, REGIONS) == text


@pytest.mark.parametrize(
    "text",
    [
        connection("https://westus-0.in.applicationinsights.azure.com/"),
        connection("https://dc.services.visualstudio.com/"),
        connection("http://westeurope-5.in.applicationinsights.azure.com/"),
        connection("https://westeurope-5.in.applicationinsights.azure.com:444/"),
        connection("https://westeurope-5.in.applicationinsights.azure.com/x"),
        connection("https://westeurope-5.in.applicationinsights.azure.com.example.com/"),
        connection("https://a@westeurope-5.in.applicationinsights.azure.com/"),
        connection("https://westeurope-5xin.applicationinsights.azure.com/"),
        connection("https://westeurope-5.in.applicationinsights.azure.com/\n"),
        f"InstrumentationKey={KEY}",
        f"InstrumentationKey={KEY};EndpointSuffix=applicationinsights.azure.com;Location=westeurope",
        f"InstrumentationKey=;IngestionEndpoint=https://{scene.APP_INSIGHTS_HOST}/",
        f"InstrumentationKey={KEY[:-1]};IngestionEndpoint=https://{scene.APP_INSIGHTS_HOST}/",
        f"IngestionEndpoint=https://{scene.APP_INSIGHTS_HOST}/",
        f"{scene.APP_INSIGHTS_CONNECTION};",
        f"{scene.APP_INSIGHTS_CONNECTION};Authorization=aad",
        f"{scene.APP_INSIGHTS_CONNECTION};a=b=c",
        f"{scene.APP_INSIGHTS_CONNECTION};ingestionEndpoint=https://example.com",
        f"{scene.APP_INSIGHTS_CONNECTION};INSTRUMENTATIONKEY={KEY}",
        "nonsense",
    ],
)
def test_any_other_connection_string_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^no") as caught:
        checked_app_insights_connection(text, REGIONS)
    assert KEY not in str(caught.value)
    assert "http" not in str(caught.value)


@pytest.mark.parametrize("text", UNSET)
def test_a_blank_or_unresolved_value_means_not_set(text: str) -> None:
    assert checked_sentry_dsn(text) is None
    assert checked_app_insights_connection(text, REGIONS) is None
