"""The Key Vault simulator against the unmodified Azure SDK, with its own challenge checks."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self, cast

import azure.keyvault.keys._shared.http_challenge_cache as keys_challenges
import azure.keyvault.secrets._shared.http_challenge_cache as secrets_challenges
import pytest
import requests
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import AioHttpTransport, RequestsTransport
from azure.keyvault.keys import KeyClient, KeyVaultKey
from azure.keyvault.keys.aio import KeyClient as AsyncKeyClient
from azure.keyvault.keys.crypto import (
    CryptographyClient,
    EncryptionAlgorithm,
    KeyWrapAlgorithm,
    SignatureAlgorithm,
)
from azure.keyvault.keys.crypto.aio import CryptographyClient as AsyncCryptographyClient
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from local import scene
from local.simulators.azure_tokens import AzureTokens
from local.simulators.key_vault import KeyVault
from tests.simulators.conftest import Serve
from tests.simulators.serving import Clock, Served

VAULT = f"https://{scene.KEY_VAULT_HOST}"
OAEP, ES256 = KeyWrapAlgorithm.rsa_oaep_256, SignatureAlgorithm.es256
DATA_KEY = bytes(range(32))


class Identity:
    """A credential that gets its tokens from the directory itself."""

    def __init__(self, tokens: AzureTokens, resource: str | None = None) -> None:
        self._tokens = tokens
        self._resource = resource  # instead of the one that the challenge names
        self.asked: list[tuple[str, str | None]] = []

    def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        (scope,) = scopes
        self.asked.append((scope, (options or {}).get("tenant_id")))
        resource = self._resource or scope.removesuffix("/.default")
        return AccessTokenInfo(self._tokens.issue(resource), 4_000_000_000)

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        info = self.get_token_info(*scopes)
        return AccessToken(info.token, info.expires_on)

    def close(self) -> None:
        """Nothing is held."""


class AsyncIdentity:
    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        return self._identity.get_token_info(*scopes, options=options)

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        return self._identity.get_token(*scopes)

    async def close(self) -> None:
        """Nothing is held."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held."""


@pytest.fixture(autouse=True)
def _no_remembered_challenges() -> Iterator[None]:
    """The SDK keeps challenges for the life of the process."""
    for cache in (keys_challenges, secrets_challenges):
        cache.clear()
    yield
    for cache in (keys_challenges, secrets_challenges):
        cache.clear()


@pytest.fixture
def tokens(clock: Clock) -> AzureTokens:
    return AzureTokens(clock=clock)


@pytest.fixture
def identity(tokens: AzureTokens) -> Identity:
    return Identity(tokens)


@pytest.fixture
def vault(serve: Serve, clock: Clock, tokens: AzureTokens) -> Served:
    return serve(KeyVault(tokens, clock=clock))


def _transport(vault: Served) -> RequestsTransport:
    return RequestsTransport(session=vault.session(), session_owner=False)


@pytest.fixture
def secret_client(vault: Served, identity: Identity) -> SecretClient:
    return SecretClient(VAULT, identity, transport=_transport(vault), retry_total=0)


@pytest.fixture
def key_client(vault: Served, identity: Identity) -> KeyClient:
    return KeyClient(VAULT, identity, transport=_transport(vault), retry_total=0)


@pytest.fixture
async def aio(vault: Served) -> AsyncIterator[AioHttpTransport]:
    async with vault.client_session() as session:
        yield AioHttpTransport(session=session, session_owner=False)


def _crypto(vault: Served, identity: Identity, key: KeyVaultKey | str) -> CryptographyClient:
    return CryptographyClient(key, identity, transport=_transport(vault), retry_total=0)


def _kek(key_client: KeyClient) -> KeyVaultKey:
    return key_client.get_key(scene.KEY_TENANT_KEK)


# --- the challenge ------------------------------------------------------------------------------


def test_the_sdk_is_challenged_once_and_asks_the_named_tenant_for_the_named_resource(
    secret_client: SecretClient, identity: Identity
) -> None:
    for _ in range(3):
        secret_client.get_secret(scene.SECRET_SALESFORCE)
    assert identity.asked == [("https://vault.azure.net/.default", scene.KEY_VAULT_TENANT)]


def test_a_call_without_a_token_is_challenged(vault: Served) -> None:
    answer = vault.session().get(f"{VAULT}/secrets/x?api-version=7.4", timeout=10)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer authorization="https://login.microsoftonline.com/{scene.KEY_VAULT_TENANT}", '
        'resource="https://vault.azure.net"'
    )
    assert answer.json()["error"]["code"] == "Unauthorized"


@pytest.mark.parametrize("resource", ["https://storage.azure.com", "https://vault.azure.net.evil"])
def test_a_token_for_another_resource_is_refused(
    vault: Served, tokens: AzureTokens, resource: str
) -> None:
    client = SecretClient(
        VAULT, Identity(tokens, resource), transport=_transport(vault), retry_total=0
    )
    with pytest.raises(ClientAuthenticationError, match="AKV10022: Invalid audience"):
        client.get_secret(scene.SECRET_SALESFORCE)


def test_a_token_of_another_directory_is_refused(vault: Served, clock: Clock) -> None:
    stranger = Identity(AzureTokens(clock=clock))
    client = SecretClient(VAULT, stranger, transport=_transport(vault), retry_total=0)
    with pytest.raises(ClientAuthenticationError):
        client.get_secret(scene.SECRET_SALESFORCE)


def test_an_expired_token_is_refused(
    secret_client: SecretClient, vault: Served, tokens: AzureTokens, clock: Clock
) -> None:
    token = tokens.issue("https://vault.azure.net")
    clock.advance(25 * 3600)
    answer = _call(vault, token, "GET", f"/secrets/{scene.SECRET_SALESFORCE}")
    assert answer.status_code == 401
    assert "lifetime" in answer.json()["error"]["message"]


@pytest.mark.parametrize("resource", ["https://vault.azure.net", "https://vault.azure.net/"])
def test_the_resource_is_known_with_and_without_a_slash(
    vault: Served, tokens: AzureTokens, resource: str
) -> None:
    answer = _call(vault, tokens.issue(resource), "GET", f"/secrets/{scene.SECRET_SALESFORCE}")
    assert answer.status_code == 200


@pytest.mark.parametrize("version", ["", "?api-version=", "?api-version=1999-01-01"])
def test_a_known_api_version_is_required(vault: Served, tokens: AzureTokens, version: str) -> None:
    answer = vault.session().get(
        f"{VAULT}/secrets/{scene.SECRET_SALESFORCE}{version}",
        headers={"Authorization": f"Bearer {tokens.issue('https://vault.azure.net')}"},
        timeout=10,
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadParameter"


def _call(
    vault: Served, token: str, method: str, path: str, body: object = None
) -> requests.Response:
    return vault.session().request(
        method,
        f"{VAULT}{path}?api-version=7.4",
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )


# --- secrets ------------------------------------------------------------------------------------


def test_the_vault_holds_its_secrets_at_start(secret_client: SecretClient) -> None:
    salesforce = secret_client.get_secret(scene.SECRET_SALESFORCE)
    assert salesforce.value == scene.SALESFORCE_CLIENT_SECRET
    signing = secret_client.get_secret(scene.SECRET_SESSION_SIGNING).value
    assert signing is not None
    assert len(base64.urlsafe_b64decode(signing + "=")) == 32
    assert len(cast("str", salesforce.properties.version)) == 32


def test_a_new_version_becomes_the_latest_and_the_old_one_stays(
    secret_client: SecretClient, vault: Served, clock: Clock
) -> None:
    old = secret_client.get_secret(scene.SECRET_SALESFORCE)
    clock.advance(60)
    vault.control_post(
        "/_sim/keyvault/secrets", {"name": scene.SECRET_SALESFORCE, "value": "second"}
    )
    third = secret_client.set_secret(
        scene.SECRET_SALESFORCE, "third", content_type="text/plain", tags={"by": "test"}
    )
    assert secret_client.get_secret(scene.SECRET_SALESFORCE).value == "third"
    same = secret_client.get_secret(scene.SECRET_SALESFORCE, old.properties.version)
    assert same.value == scene.SALESFORCE_CLIENT_SECRET
    versions = list(secret_client.list_properties_of_secret_versions(scene.SECRET_SALESFORCE))
    assert len(versions) == 3
    latest = {version.version: version for version in versions}[third.properties.version]
    assert (latest.content_type, latest.tags) == ("text/plain", {"by": "test"})
    assert latest.created_on is not None
    assert latest.created_on.timestamp() == clock.now


def test_listings_are_paged_and_show_no_value(secret_client: SecretClient) -> None:
    for number in range(30):
        secret_client.set_secret(f"many-{number:02}", "hidden")
    pages = list(secret_client.list_properties_of_secrets().by_page())
    names = [[secret.name for secret in page] for page in pages]
    assert [len(page) for page in names] == [25, 7]
    listed = [str(name) for page in names for name in page]
    assert listed == sorted(listed)


def test_what_is_missing_is_not_found(secret_client: SecretClient) -> None:
    for name, version in (("absent", None), (scene.SECRET_SALESFORCE, "0" * 32)):
        with pytest.raises(ResourceNotFoundError) as caught:
            secret_client.get_secret(name, version)
        assert caught.value.error is not None
        assert caught.value.error.code == "SecretNotFound"


def test_a_disabled_secret_is_forbidden(secret_client: SecretClient) -> None:
    secret_client.set_secret("locked", "x", enabled=False)
    with pytest.raises(HttpResponseError, match="not allowed on a disabled secret") as caught:
        secret_client.get_secret("locked")
    assert caught.value.status_code == 403


def test_a_deleted_secret_is_gone_its_name_is_taken_and_it_can_be_recovered(
    secret_client: SecretClient,
) -> None:
    deleted = secret_client.begin_delete_secret(scene.SECRET_SALESFORCE).result()
    assert deleted.recovery_id == f"{VAULT}/deletedsecrets/{scene.SECRET_SALESFORCE}"
    with pytest.raises(ResourceNotFoundError):
        secret_client.get_secret(scene.SECRET_SALESFORCE)
    with pytest.raises(ResourceExistsError):
        secret_client.set_secret(scene.SECRET_SALESFORCE, "x")
    secret_client.begin_recover_deleted_secret(scene.SECRET_SALESFORCE).wait()
    assert secret_client.get_secret(scene.SECRET_SALESFORCE).value is not None


def test_a_purged_secret_frees_its_name(secret_client: SecretClient) -> None:
    secret_client.begin_delete_secret(scene.SECRET_SALESFORCE).wait()
    secret_client.purge_deleted_secret(scene.SECRET_SALESFORCE)
    assert secret_client.set_secret(scene.SECRET_SALESFORCE, "new").value == "new"


@pytest.mark.parametrize(
    ("name", "value"), [("under_score", "x"), ("long", "x" * 25_601)], ids=["name", "length"]
)
def test_a_bad_name_or_value_is_refused(secret_client: SecretClient, name: str, value: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        secret_client.set_secret(name, value)
    assert caught.value.status_code == 400


# --- keys ---------------------------------------------------------------------------------------


def test_the_vault_holds_its_keys_at_start_and_shows_public_halves_only(
    key_client: KeyClient, vault: Served, tokens: AzureTokens
) -> None:
    kek, signing = _kek(key_client), key_client.get_key(scene.KEY_RECEIPT_SIGNING)
    assert (kek.key_type, len(kek.key.n) * 8) == ("RSA", 3072)  # type: ignore[attr-defined]
    assert kek.key_operations == ["wrapKey", "unwrapKey"]
    assert (signing.key_type, signing.key_operations) == ("EC", ["sign", "verify"])
    token = tokens.issue("https://vault.azure.net")
    members = {
        name
        for key in (scene.KEY_TENANT_KEK, scene.KEY_RECEIPT_SIGNING)
        for name in _call(vault, token, "GET", f"/keys/{key}").json()["key"]
    }
    assert members == {"kid", "kty", "key_ops", "n", "e", "crv", "x", "y"}


def test_wrap_and_unwrap_round_trip(
    key_client: KeyClient, vault: Served, identity: Identity
) -> None:
    crypto = _crypto(vault, identity, _kek(key_client))
    wrapped = crypto.wrap_key(OAEP, DATA_KEY)
    assert wrapped.key_id == _kek(key_client).id
    assert crypto.unwrap_key(OAEP, wrapped.encrypted_key).key == DATA_KEY
    calls = vault.control_get("/_sim/keyvault/ledger")["calls"]
    assert calls == {
        "GET /keys/{name}/{version}": 2,  # the SDK wraps by itself, with the public key
        "POST /keys/{name}/{version}/unwrapkey": 1,
    }


def test_the_vault_wraps_by_itself_too(
    key_client: KeyClient, vault: Served, tokens: AzureTokens, identity: Identity
) -> None:
    body = {"alg": "RSA-OAEP-256", "value": base64.urlsafe_b64encode(b"x" * 33).decode()}
    token = tokens.issue("https://vault.azure.net")
    wrapped = _call(vault, token, "POST", f"/keys/{scene.KEY_TENANT_KEK}//wrapkey", body).json()
    assert wrapped["kid"] == _kek(key_client).id
    ciphertext = base64.urlsafe_b64decode(wrapped["value"] + "==")
    crypto = _crypto(vault, identity, wrapped["kid"])
    assert crypto.unwrap_key(OAEP, ciphertext).key == b"x" * 33


def test_a_flipped_byte_does_not_unwrap(
    key_client: KeyClient, vault: Served, identity: Identity
) -> None:
    crypto = _crypto(vault, identity, _kek(key_client))
    wrapped = bytearray(crypto.wrap_key(OAEP, DATA_KEY).encrypted_key)
    wrapped[7] ^= 1
    with pytest.raises(HttpResponseError, match="BadParameter") as caught:
        crypto.unwrap_key(OAEP, bytes(wrapped))
    assert caught.value.status_code == 400


def test_es256_signs_a_digest_as_raw_r_and_s(
    key_client: KeyClient, vault: Served, identity: Identity
) -> None:
    key = key_client.get_key(scene.KEY_RECEIPT_SIGNING)
    digest = hashlib.sha256(b"receipt").digest()
    signature = _crypto(vault, identity, key.id or "").sign(ES256, digest).signature
    assert len(signature) == 64
    x, y = (int.from_bytes(part) for part in (key.key.x, key.key.y))  # type: ignore[attr-defined]
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    public.verify(der, b"receipt", ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    ("kty", "algorithm"), [("RSA", "RS256"), ("RSA", "PS256"), ("EC", "ES256")]
)
def test_the_vault_verifies_what_it_signed_and_nothing_else(
    vault: Served, tokens: AzureTokens, kty: str, algorithm: str
) -> None:
    token = tokens.issue("https://vault.azure.net")
    assert _call(vault, token, "POST", "/keys/fresh/create", {"kty": kty}).status_code == 200
    digest = _b64(hashlib.sha256(b"one").digest())
    signature = _call(
        vault, token, "POST", "/keys/fresh//sign", {"alg": algorithm, "value": digest}
    ).json()["value"]
    for over, expected in ((b"one", True), (b"two", False)):
        body = {
            "alg": algorithm,
            "digest": _b64(hashlib.sha256(over).digest()),
            "value": signature,
        }
        answer = _call(vault, token, "POST", "/keys/fresh//verify", body)
        assert answer.json()["value"] is expected


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_encrypt_and_decrypt_round_trip(
    key_client: KeyClient, vault: Served, identity: Identity
) -> None:
    key = key_client.create_rsa_key("general", size=2048)
    crypto = _crypto(vault, identity, key.id or "")
    ciphertext = crypto.encrypt(EncryptionAlgorithm.rsa_oaep_256, b"hello").ciphertext
    assert crypto.decrypt(EncryptionAlgorithm.rsa_oaep_256, ciphertext).plaintext == b"hello"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tenant-kek//unwrapkey", {"alg": "RSA1_5", "value": "AAAA"}),
        ("tenant-kek//unwrapkey", {"alg": "RSA-OAEP-256", "value": "A=="}),
        ("tenant-kek//unwrapkey", {"alg": "RSA-OAEP-256", "value": "A"}),
        ("tenant-kek//unwrapkey", {"alg": "RSA-OAEP-256"}),
        ("tenant-kek//wrapkey", {"alg": "RSA-OAEP-256", "value": "A" * 800}),
        ("receipt-signing//sign", {"alg": "ES256", "value": "AAAA"}),
        ("receipt-signing//sign", {"alg": "RS256", "value": "A" * 43}),
    ],
    ids=[
        "algorithm", "padding", "one character", "no value", "too long", "digest length",
        "algorithm of another key type",
    ],
)  # fmt: skip
def test_a_bad_parameter_is_refused(
    vault: Served, tokens: AzureTokens, path: str, body: dict[str, str]
) -> None:
    token = tokens.issue("https://vault.azure.net")
    answer = _call(vault, token, "POST", f"/keys/{path}", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadParameter"


def test_an_operation_that_key_ops_does_not_list_is_forbidden(
    vault: Served, tokens: AzureTokens
) -> None:
    token = tokens.issue("https://vault.azure.net")
    body = {"alg": "RSA-OAEP-256", "value": "AAAA"}
    answer = _call(vault, token, "POST", f"/keys/{scene.KEY_TENANT_KEK}//encrypt", body)
    assert answer.status_code == 403
    assert answer.json()["error"]["innererror"]["code"] == "KeyOperationForbidden"


def test_rotation_makes_a_new_version_and_the_old_one_still_unwraps(
    key_client: KeyClient, vault: Served, identity: Identity
) -> None:
    old = _kek(key_client)
    wrapped = _crypto(vault, identity, old).wrap_key(OAEP, DATA_KEY).encrypted_key
    vault.control_post("/_sim/keyvault/keys/rotate", {"name": scene.KEY_TENANT_KEK})
    new = key_client.rotate_key(scene.KEY_TENANT_KEK)
    assert _kek(key_client).id == new.id != old.id
    assert new.key_operations == old.key_operations
    assert len(new.key.n) == len(old.key.n)  # type: ignore[attr-defined]
    assert len(list(key_client.list_properties_of_key_versions(scene.KEY_TENANT_KEK))) == 3
    assert _crypto(vault, identity, old).unwrap_key(OAEP, wrapped).key == DATA_KEY
    with pytest.raises(HttpResponseError) as caught:
        _crypto(vault, identity, new).unwrap_key(OAEP, wrapped)
    assert caught.value.status_code == 400


def test_a_disabled_key_is_forbidden_until_it_is_enabled(
    key_client: KeyClient, vault: Served, identity: Identity
) -> None:
    key = _kek(key_client)
    wrapped = _crypto(vault, identity, key).wrap_key(OAEP, DATA_KEY).encrypted_key
    order = {"name": scene.KEY_TENANT_KEK, "version": key.properties.version}
    vault.control_post("/_sim/keyvault/keys/disable", order)
    with pytest.raises(HttpResponseError, match="not allowed on a disabled key") as caught:
        _crypto(vault, identity, key.id or "").unwrap_key(OAEP, wrapped)
    assert caught.value.status_code == 403
    with pytest.raises(HttpResponseError, match="not allowed on a disabled key"):
        _kek(key_client)
    vault.control_post("/_sim/keyvault/keys/enable", {"name": scene.KEY_TENANT_KEK})
    assert _crypto(vault, identity, key).unwrap_key(OAEP, wrapped).key == DATA_KEY


def test_the_sdk_can_disable_a_version(
    key_client: KeyClient, vault: Served, identity: Identity
) -> None:
    key_client.update_key_properties(scene.KEY_RECEIPT_SIGNING, enabled=False)
    with pytest.raises(HttpResponseError) as caught:
        _crypto(vault, identity, f"{VAULT}/keys/{scene.KEY_RECEIPT_SIGNING}").sign(ES256, bytes(32))
    assert caught.value.status_code == 403


def test_an_expired_key_still_unwraps_but_wraps_no_more(
    key_client: KeyClient, vault: Served, tokens: AzureTokens, identity: Identity, clock: Clock
) -> None:
    token, key = tokens.issue("https://vault.azure.net"), _kek(key_client)
    wrapped = _crypto(vault, identity, key).wrap_key(OAEP, DATA_KEY).encrypted_key
    body = {"attributes": {"exp": int(clock.now)}}
    _call(vault, token, "PATCH", f"/keys/{scene.KEY_TENANT_KEK}/", body).raise_for_status()
    value = {"alg": "RSA-OAEP-256", "value": _b64(DATA_KEY)}
    refused = _call(vault, token, "POST", f"/keys/{scene.KEY_TENANT_KEK}//wrapkey", value)
    assert refused.status_code == 403
    assert refused.json()["error"]["innererror"]["code"] == "KeyNotYetValidOrExpired"
    assert _crypto(vault, identity, key.id or "").unwrap_key(OAEP, wrapped).key == DATA_KEY


def test_a_deleted_key_unwraps_no_more(
    key_client: KeyClient, vault: Served, identity: Identity
) -> None:
    key = _kek(key_client)
    crypto = _crypto(vault, identity, key)
    wrapped = crypto.wrap_key(OAEP, DATA_KEY).encrypted_key
    key_client.begin_delete_key(scene.KEY_TENANT_KEK).wait()
    with pytest.raises(ResourceNotFoundError):
        crypto.unwrap_key(OAEP, wrapped)
    key_client.begin_recover_deleted_key(scene.KEY_TENANT_KEK).wait()
    assert crypto.unwrap_key(OAEP, wrapped).key == DATA_KEY


def test_what_was_wrapped_before_a_reset_still_opens(
    key_client: KeyClient, vault: Served, identity: Identity
) -> None:
    key = _kek(key_client)
    wrapped = _crypto(vault, identity, key).wrap_key(OAEP, DATA_KEY).encrypted_key
    vault.control_post("/_sim/keyvault/keys/rotate", {"name": scene.KEY_TENANT_KEK})
    vault.simulator.reset()
    assert vault.control_get("/_sim/keyvault/ledger") == {"calls": {}}
    assert _kek(key_client).id == key.id
    assert _crypto(vault, identity, key).unwrap_key(OAEP, wrapped).key == DATA_KEY


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("keys/rotate", {"name": "absent"}),
        ("keys/disable", {}),
        ("secrets", {"name": "no-value"}),
        ("secrets", {"nam": "x", "value": "y"}),
    ],
    ids=json.dumps,
)
def test_a_control_order_that_cannot_be_met_is_refused(
    vault: Served, path: str, body: dict[str, Any]
) -> None:
    with pytest.raises(AssertionError, match=": 400"):
        vault.control_post(f"/_sim/keyvault/{path}", body)


# --- the asynchronous clients -------------------------------------------------------------------


async def test_the_async_secret_client(
    vault: Served, identity: Identity, aio: AioHttpTransport
) -> None:
    client = AsyncSecretClient(VAULT, AsyncIdentity(identity), transport=aio, retry_total=0)
    assert (await client.get_secret(scene.SECRET_SALESFORCE)).value == (
        scene.SALESFORCE_CLIENT_SECRET
    )
    versions = client.list_properties_of_secret_versions(scene.SECRET_SALESFORCE)
    assert len([version async for version in versions]) == 1
    with pytest.raises(ResourceNotFoundError):
        await client.get_secret("absent")
    assert identity.asked == [("https://vault.azure.net/.default", scene.KEY_VAULT_TENANT)]


async def test_the_async_key_clients(
    vault: Served, identity: Identity, aio: AioHttpTransport
) -> None:
    credential = AsyncIdentity(identity)
    keys = AsyncKeyClient(VAULT, credential, transport=aio, retry_total=0)
    kek = await keys.get_key(scene.KEY_TENANT_KEK)
    crypto = AsyncCryptographyClient(kek, credential, transport=aio, retry_total=0)
    wrapped = bytearray((await crypto.wrap_key(OAEP, DATA_KEY)).encrypted_key)
    assert (await crypto.unwrap_key(OAEP, bytes(wrapped))).key == DATA_KEY
    wrapped[0] ^= 1
    with pytest.raises(HttpResponseError) as caught:
        await crypto.unwrap_key(OAEP, bytes(wrapped))
    assert caught.value.status_code == 400


async def test_the_async_client_gives_up_on_a_refused_token(
    tokens: AzureTokens, aio: AioHttpTransport
) -> None:
    credential = AsyncIdentity(Identity(tokens, "https://storage.azure.com"))
    client = AsyncSecretClient(VAULT, credential, transport=aio, retry_total=0)
    with pytest.raises(ClientAuthenticationError):
        await client.get_secret(scene.SECRET_SALESFORCE)
