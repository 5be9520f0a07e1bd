"""S-03: nobody makes a session but us: not without the secret, not of another form, not from
something else that we signed. On every route that wants one."""

import base64
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.secret import Secret
from tests.attacks.every_route import (
    REFUSED,
    answers_of_every_route,
    claims_of,
    every_route,
    head_of,
)
from tests.attacks.matrix import answer_of
from tests.attacks.operations import TABLE
from tests.attacks.people import Scene, set_scene
from tests.identity import tokens


@pytest.fixture
async def scene() -> Scene:
    return await set_scene()


async def forged(scene: Scene) -> dict[str, str]:
    """Sessions that somebody made who has read everything of ours but the secret."""
    world, genuine = scene.world, scene.administrator
    head, claims = head_of(genuine), claims_of(genuine)
    parts = genuine.reveal().split(".")
    key_set = [dict(key) for key in await world.signer.public_keys()]
    x, y = (_number(key_set[0][name]) for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public_keys = {
        "pem": pem,
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(key_set[0]).encode(),
        "jwks": json.dumps({"keys": key_set}).encode(),
        "bom": b"\xef\xbb\xbf" + pem,
        "empty": b"",
        "kid": str(head["kid"]).encode(),
    }
    unsigned = {
        f"alg-{alg}": f"{tokens.part({**head, 'alg': alg})}.{parts[1]}."
        for alg in ("none", "None", "nOnE", "NONE", "")
    }
    secret = (await world.secrets.newest_two(""))[0].secret.reveal().encode()
    older = {
        "typ-JWT": ({**head, "typ": "JWT"}, claims),
        "typ-none": ({name: head[name] for name in ("alg", "kid")}, claims),
        "typ-at": ({**head, "typ": "at+jwt"}, claims),
        "alg-HS384": ({**head, "alg": "HS384"}, claims),
        "aud": (head, {**claims, "aud": "flowrunner-receipt"}),
        "iss": (head, {**claims, "iss": "flowrunner-beta"}),
        "ver": (head, {**claims, "ver": "0.9"}),
        "no-jti": (head, {name: claims[name] for name in claims if name != "jti"}),
        "no-epoch": (head, {name: claims[name] for name in claims if name != "ept"}),
    }
    return {
        **unsigned,
        **{f"{name}-signed": f"{text}{parts[2]}" for name, text in unsigned.items()},
        **{
            f"hs-{name}": tokens.hmac_signed(each, claims, key)
            for name, key in public_keys.items()
            for each in (head, {**head, "kid": key_set[0]["kid"]})
        },
        "hs-published-kid": tokens.hmac_signed(
            {**head, "kid": key_set[0]["kid"]}, claims, public_keys["jwk"]
        ),
        **{
            f"older-{name}": tokens.hmac_signed(one, said, secret)
            for name, (one, said) in older.items()
        },
    }


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


async def test_S03_no_forged_or_outdated_session_opens_a_route(scene: Scene) -> None:
    made = await forged(scene)
    assert len(made) >= 26
    for name, text in made.items():
        answers = await answers_of_every_route(scene.world, scene, text)
        assert answers == every_route(REFUSED), name


async def test_S03_the_forger_knows_how_sessions_are_made(scene: Scene) -> None:
    """So that each of them is refused for what is wrong with it, and nothing else."""
    secret = (await scene.world.secrets.newest_two(""))[0].secret.reveal().encode()
    genuine = scene.administrator
    copied = tokens.hmac_signed(head_of(genuine), claims_of(genuine), secret)

    assert (await scene.world.services.authenticate(Secret(copied))).is_admin


async def test_S03_nothing_else_that_we_sign_or_hand_out_is_a_session(scene: Scene) -> None:
    """A receipt, an export's signature with a session's claims between, and one-time codes."""
    world, alice = scene.world, scene.alice
    receipt = await TABLE["deletion_receipt"].own(scene).sent(world.services, "deletion_receipt")
    export = await TABLE["run_export"].own(scene).sent(world.services, "run_export")
    assert (receipt.status_code, export.status_code) == (200, 200)
    head, _, signature = str(export.headers["X-Export-Signature"]).split(".")
    claims = scene.administrator.reveal().split(".")[1]
    made = {
        "receipt": receipt.get_body().decode().strip(),
        "export": f"{head}.{claims}.{signature}",
        "export-detached": f"{head}..{signature}",
        "status-token": alice.deletion.status_token.reveal(),
        "confirmation-code": alice.deletion.confirmation_code.reveal(),
        "completion": alice.completion,
        "ticket": alice.ticket,
        "state": alice.state,
        "place": alice.place,
        "name": alice.name,
    }
    for name, text in made.items():
        answers = await answers_of_every_route(world, scene, text)
        assert answers == every_route(REFUSED), name


@pytest.mark.parametrize("name", ["deletion_status", "deletion_receipt"])
async def test_S03_and_a_session_is_no_status_token(scene: Scene, name: str) -> None:
    ask = replace(TABLE[name].own(scene), token=scene.alice.session)

    assert answer_of(await ask.sent(scene.world.services, name))[0] in (401, 404)
