"""Every promise is in docs/promises.md, with a state, proofs that exist, and true counts."""

import re
from typing import Final

import pytest

from tests.docs.markdown import ROOT, text_of
from tests.docs.proofs import IDS, exists, faults, promises

PROMISES: Final = text_of(ROOT / "docs" / "promises.md")


def test_every_promise_has_its_state_and_proofs_that_exist() -> None:
    assert faults(PROMISES) == []


def test_there_are_41_and_each_names_a_proof_or_is_open() -> None:
    found = promises(PROMISES)

    assert len(found) == len(IDS) == 41
    assert all(one.proofs for one in found)


@pytest.mark.parametrize(
    ("gone", "put", "fault"),
    [
        ("### F23\n", "### F25\n", "not the promises of the list"),
        ("### B10\n", "#### B10\n", "not the promises of the list"),
        ("| open | ", "| open | 1", "the counts are wrong"),
        ("- `make demo`", "- `make demonstration`", "B9: no proof make demonstration"),
        (
            "::test_x04_every_answer_carries_the_security_headers",
            "::test_x04_every_answer_is_safe",
            "F12: no proof tests/functions/test_boundary.py::test_x04_every_answer_is_safe",
        ),
        (
            "tests/attacks/test_total_loss.py::",
            "tests/attacks/test_small_loss.py::",
            (
                "F11: no proof tests/attacks/test_small_loss.py"
                "::test_after_a_total_loss_users_and_runs_are_back_and_grants_are_not"
            ),
        ),
        (
            "storage.bicep: minimumTlsVersion: 'TLS1_2'",
            "storage.bicep: minimumTlsVersion: 'TLS1_3'",
            "E5: no proof bicep/modules/storage.bicep: minimumTlsVersion: 'TLS1_3'",
        ),
        (
            "- `docs/runbooks/region-move.md`",
            "- `docs/runbooks/move.md`",
            "E1: no proof docs/runbooks/move.md",
        ),
        ("**State:** open", "**State:** nearly kept", "F17: no state nearly kept"),
        ("**Open:** ", "", "F17: open, and no word of why"),
        ("**Unproven:** ", "", "F1: kept here, unproven in the cloud, and no word of why"),
    ],
)
def test_what_is_wrong_with_a_promise_is_found(gone: str, put: str, fault: str) -> None:
    assert gone in PROMISES

    assert fault in faults(PROMISES.replace(gone, put, 1))


def test_a_promise_that_is_kept_by_documents_alone_is_not_taken_for_kept() -> None:
    body = re.sub(r"^- `(?:tests/|make ).*\n", "", PROMISES, flags=re.MULTILINE)

    assert "F6: kept, and nothing that runs shows it" in faults(body)
    assert "F17: kept, and nothing that runs shows it" not in faults(body)


@pytest.mark.parametrize(
    "proof",
    [
        "tests/docs/proofs.py::exists",
        "tests/docs/test_promises.py::PROMISES",
        "tests/docs/test_promises.py::test_nothing",
        "make",
        "docs/promises",
        "shared/settings.py: class Nothing",
    ],
)
def test_what_is_no_proof_does_not_exist(proof: str) -> None:
    assert not exists(proof)


# What a client of a model, or the agent around one, is called in package registries.
_OF_MODELS: Final = re.compile(
    r"openai|anthropic|cohere|mistral|gemini|generativeai|langchain|llama|huggingface|transformers"
    r"|semantic-kernel|azure-ai|bedrock|vertexai|ollama|groq",
    re.IGNORECASE,
)


def models_in(requirements: str) -> list[str]:
    names = re.findall(r"^([A-Za-z0-9._-]+)==", requirements, re.MULTILINE)
    return [name for name in names if _OF_MODELS.search(name)]


def test_no_model_is_called() -> None:
    assert models_in(text_of(ROOT / "requirements.txt")) == []


def test_a_client_of_a_model_would_be_found() -> None:
    assert models_in("aiohttp==3.14.5 \\\nopenai==2.0.0 \\\n") == ["openai"]
