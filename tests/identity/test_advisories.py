"""Published weaknesses of others, each with the test that we do not share it.

Some are PyJWT's own, closed in the version that is pinned; the service does not rely on that: the
strict reading in front of it refuses these tokens by itself.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from shared.errors import NotAuthenticatedError
from shared.secret import Secret
from tests.identity import tokens
from tests.identity.test_microsoft import policy
from tests.identity.tokens import KnownKeys, header, microsoft_claims, private_key, signed

ROOT: Final = Path(__file__).parents[2]
FLOOR: Final = (2, 15, 1)


@pytest.fixture
def keys() -> KnownKeys:
    return KnownKeys(**{tokens.KID: tokens.published_key()})


async def is_refused(keys: KnownKeys, text: str) -> bool:
    try:
        await policy(keys).verify(Secret(text))
    except NotAuthenticatedError:
        return True
    return False


def test_the_pinned_pyjwt_is_no_older_than_the_fixes() -> None:
    pinned = re.search(
        r"^pyjwt==([0-9.]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert pinned is not None
    for version in (pinned[1], jwt.__version__):
        assert tuple(int(part) for part in version.split(".")) >= FLOOR


async def test_a_good_token_is_accepted_so_that_each_refusal_below_means_something(
    keys: KnownKeys,
) -> None:
    assert not await is_refused(keys, signed(header(), microsoft_claims()))


@pytest.mark.parametrize("critical", [["exp"], ["x-mfa"], ["b64"], []], ids=str)
async def test_ghsa_752w_5fwx_jx9f_a_critical_extension_is_not_ignored(
    keys: KnownKeys, critical: list[str]
) -> None:
    """PyJWT before 2.12.0 accepted tokens whose `crit` it did not understand."""
    head = header(crit=critical, **dict.fromkeys(critical, True))

    assert await is_refused(keys, signed(head, microsoft_claims()))


async def test_ghsa_xgmm_8j9v_c9wx_a_public_jwk_is_no_shared_secret(keys: KnownKeys) -> None:
    """PyJWT before 2.13.0 took the JSON of a public JWK for an HMAC key."""
    for published in (tokens.jwk(), {"keys": [tokens.jwk()]}):
        text = json.dumps(published)
        for head in (header(alg="HS256"), header(alg="HS512"), header()):
            forged = tokens.hmac_signed(head, microsoft_claims(), text.encode())
            assert await is_refused(keys, forged)


async def test_ghsa_ffqj_6fqr_9h24_a_public_key_in_any_form_is_no_shared_secret(
    keys: KnownKeys,
) -> None:
    """PyJWT before 2.4.0 knew PEM alone as a key that must not be an HMAC secret."""
    public = private_key().public_key()
    forms = (
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
        (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
    )
    for encoding, form in forms:
        secret = public.public_bytes(encoding, form)
        forged = tokens.hmac_signed(header(alg="HS256"), microsoft_claims(), secret)
        assert await is_refused(keys, forged)


@pytest.mark.parametrize(
    "issuer", ["https://login.microsoftonline.com/", "https://login", "/v2.0", "h", ""]
)
async def test_ghsa_75c5_xw7c_p5pm_a_part_of_the_issuer_is_not_the_issuer(
    keys: KnownKeys, issuer: str
) -> None:
    """PyJWT 2.10.0 looked for the issuer inside the expected one."""
    assert await is_refused(keys, signed(header(), microsoft_claims(iss=issuer)))


@pytest.mark.parametrize(
    "claims",
    [
        {"tid": tokens.OTHER_TENANT},
        {"iss": f"https://login.microsoftonline.com/{tokens.OTHER_TENANT}/v2.0"},
        {"tid": tokens.OTHER_TENANT, "idp": tokens.TENANT},
    ],
    ids=["tid", "issuer", "tid-with-idp"],
)
async def test_cve_2025_55241_a_tokens_tenant_is_compared_with_its_issuer(
    keys: KnownKeys, claims: dict[str, Any]
) -> None:
    """Entra's own Graph once took a token of one tenant for another's."""
    assert await is_refused(keys, signed(header(), microsoft_claims(**claims)))
