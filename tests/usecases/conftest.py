"""A world for each test, and what the service told of itself."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes import World

type Told = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """`told("connected")`: the events of that name so far, each with its fields and `level`."""
    caplog.set_level(logging.INFO, "flowrunner")

    def events(name: str) -> list[dict[str, Any]]:
        records = [record for record in caplog.records if record.name == "flowrunner"]
        lines = [json.loads(one.getMessage()) | {"level": one.levelname} for one in records]
        return [line for line in lines if line["event"] == name]

    return events
