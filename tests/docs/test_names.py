"""Every file, setting, parameter and output that a document names exists."""

import re
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, documents, named, text_of
from tests.docs.names import faults, of_azd, outputs, parameters, parameters_of, settings


@pytest.mark.parametrize("path", documents(), ids=named)
def test_a_document_names_nothing_that_there_is_not(path: Path) -> None:
    assert faults(text_of(path)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("see shared/crypto/rewrap.py", "file shared/crypto/rewrap.py"),
        ("see `docs/runbooks/rewrap.md`.", "file docs/runbooks/rewrap.md"),
        ("`tests/attacks/test_nothing.py`", "file tests/attacks/test_nothing.py"),
        ("`rewrap.py` does it", "file rewrap.py"),
        ("`bicep/*.parquet`", "file bicep/*.parquet"),
        ("set `ALLOWED_TENANT`", "setting ALLOWED_TENANT"),
        ("```\nexport REWRAP_KEYS=1\n```", "setting REWRAP_KEYS"),
        ("the parameter `allowedTenant`", "parameter allowedTenant"),
        ("the output `PUBLIC_URL`", "setting PUBLIC_URL"),
        ("the output `principal`", "output principal"),
    ],
)
def test_a_name_that_there_is_not_is_found(text: str, fault: str) -> None:
    assert fault in faults(text)


def test_a_name_that_there_is_is_let_be() -> None:
    text = "`ALLOWED_TENANTS`, the parameter `allowedTenants`, `shared/settings.py`, `host.json`"

    assert faults(text) == []


def test_the_names_are_read_from_code_and_templates() -> None:
    assert "TENANT_REGIONS" in settings() & of_azd()
    assert "tenantRegions" in parameters()
    assert "EGRESS_ADDRESS" in outputs()


def test_every_parameter_of_a_customers_deployment_is_one_of_ours_as_well() -> None:
    assert parameters_of(text_of(ROOT / "bicep/modules/stack.bicep")) <= parameters()


def test_every_output_of_a_deployment_is_one_of_a_customers_as_well() -> None:
    """The runbooks name outputs without saying which template was deployed."""
    stack = text_of(ROOT / "bicep/modules/stack.bicep")

    assert outputs() == set(re.findall(r"^output ([A-Z_]+) ", stack, re.MULTILINE))


# --- the other way round: documents that code, templates and workflows name -----------------------

_DOCUMENT = re.compile(r"(?<![\w./-])docs/[\w/.-]+\.md")


def lost_documents(text: str) -> list[str]:
    """The documents that a text names and that are not there."""
    return [name for name in _DOCUMENT.findall(text) if not (ROOT / name).is_file()]


def naming_files() -> list[Path]:
    folders = ("bench", "bicep", "functions", "local", "shared", "tools", ".github")
    below = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    kinds = {".py", ".bicep", ".json", ".yml", ".yaml", ".sh"}
    top = (ROOT / name for name in ("azure.yaml", "pyproject.toml", "Makefile", ".funcignore"))
    found = (path for path in below if path.suffix in kinds and "node_modules" not in path.parts)
    return sorted([*found, *top])


def test_every_document_that_code_names_is_there() -> None:
    lost = {named(path): gone for path in naming_files() if (gone := lost_documents(text_of(path)))}

    assert lost == {}


def test_a_document_that_is_not_there_is_found() -> None:
    assert lost_documents("# see docs/runbooks/rewrap.md, docs/promises.md") == [
        "docs/runbooks/rewrap.md"
    ]
