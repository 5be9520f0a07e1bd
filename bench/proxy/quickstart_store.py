"""What the quickstart's app has stored: sealed tokens in a table, and a key in the vault."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

import jwt
import requests
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.proxy.places import ORGS
from local import scene
from local.stack_info import StackInfo

FERNET_SECRET: Final = "bench-fernet-key"  # noqa: S105 - its name
_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """`table` by `user|host of the org`; the public key of its sessions, PEM."""

    public_key: str
    table: dict[str, dict[str, str]]

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def prepare(info: StackInfo, users: Iterable[str], path: Path) -> list[str]:
    """Store a token for each user and org, the key in the vault. The users' sessions."""
    key = Fernet.generate_key()
    _put_secret(info, key.decode())
    signing = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    public = signing.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    names = list(users)
    table = {
        f"{name}|{host}": {
            "instance_url": f"https://{host}",
            "token": Fernet(key).encrypt(f"00D!{name}{'x' * 90}".encode()).decode(),
        }
        for name in names
        for host in ORGS.values()
    }
    stored = Stored(public_key=public.decode(), table=table)
    path.write_text(json.dumps(asdict(stored)), encoding="utf-8")
    ends = datetime.now(UTC) + timedelta(hours=8)
    return [
        jwt.encode({"sub": name, "aud": "bench", "exp": ends}, signing, algorithm="RS256")
        for name in names
    ]


def _put_secret(info: StackInfo, value: str) -> None:
    """Raises requests.RequestException."""
    with requests.Session() as http:
        http.trust_env = False
        asked = http.get(
            info.identity_endpoint,
            params={"resource": "https://vault.azure.net", "api-version": "2019-08-01"},
            headers={"X-IDENTITY-HEADER": scene.IDENTITY_HEADER},
            timeout=_SECONDS,
        )
        asked.raise_for_status()
        http.verify = str(info.authority)
        answer = http.put(
            f"https://127.0.0.1:{info.pins[scene.KEY_VAULT_HOST]}/secrets/{FERNET_SECRET}",
            params={"api-version": "7.4"},
            headers={
                "Authorization": f"Bearer {asked.json()['access_token']}",
                "Host": scene.KEY_VAULT_HOST,
            },
            json={"value": value},
            timeout=_SECONDS,
        )
        answer.raise_for_status()
