"""The hosts that docs/subprocessors.md lists."""

from typing import Final

from tests.docs.markdown import ROOT, text_of
from tests.docs.tables import code_spans, section, tables

DOCUMENT: Final = text_of(ROOT / "docs" / "subprocessors.md")
PLATFORM: Final = "IDENTITY_ENDPOINT"
"""The one address that is no host: given to the process by the platform."""

(HOSTS,) = tables(section(DOCUMENT, "## Hosts that the code may call"))
(NAMES,) = tables(section(DOCUMENT, "## Names in the code that are never called"))

CALLED: Final = [name for row in HOSTS for name in code_spans(row["host"])]
NEVER_CALLED: Final = [name for row in NAMES for name in code_spans(row["name"])]
