"""Where the parts of a running local stack answer, as one JSON file that its processes share."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

IDENTITY_PATH: Final = "/msi/token"  # as on App Service


@dataclass(frozen=True, slots=True, kw_only=True)
class StackInfo:
    """Addresses and paths of one running stack. URLs have no trailing slash."""

    service: str  # "http://127.0.0.1:7071", as Core Tools answer
    service_https: str  # the same service under the stack's certificate
    sidebar: str  # the demo sidebar's own origin, https
    control: str  # the simulators' control surface, plain http
    tables: str  # the Table service through its proxy: https://127.0.0.1:<port>/devstoreaccount1
    blobs: str  # the Blob service of the backup account through its proxy, as `tables`
    identity_endpoint: str  # http://127.0.0.1:<port>/msi/token
    authority: Path  # the certificate of the stack's authority, PEM
    data: Path  # the stack's data folder: logs, stack.json, certificates
    pins: dict[str, int]  # host name or `*.` pattern -> port of its simulator on 127.0.0.1
    keeps: bool  # whether rows and vault outlive a restart, in the data folder
    azurite: (
        str  # Azurite's Table service, behind the proxy: https://127.0.0.1:<port>/devstoreaccount1
    )
    azurite_blobs: str  # Azurite's Blob service, behind the proxy, likewise

    def save(self, path: Path) -> None:
        """Write as JSON, in one step: a reader never sees half a file."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self), indent=2, default=str) + "\n", encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Raises OSError, ValueError, KeyError or TypeError."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        for name in ("authority", "data"):
            fields[name] = Path(fields[name])
        return cls(**fields)
