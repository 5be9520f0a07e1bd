"""The shapes are those of Microsoft's SDKs, and holding values against them can fail."""

import typing

import azure.mgmt.storage.types
import azure.mgmt.web.types
import pytest

from tools.infra.shapes import SHAPES, is_shape, properties_of


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_every_shape_has_properties_that_can_be_resolved(kind: str) -> None:
    _, shape = SHAPES[kind]

    assert is_shape(shape)
    assert _resolved(shape, set()) > 0


def _resolved(hint: object, seen: set[object]) -> int:
    """How many properties lie in a hint, everything within it resolved."""
    if is_shape(hint):
        assert isinstance(hint, type)
        if hint in seen:
            return 0
        seen.add(hint)
        properties = properties_of(hint)
        return len(properties) + sum(_resolved(inner, seen) for inner in properties.values())
    assert not isinstance(hint, str | typing.ForwardRef), f"{hint} is not resolved"
    if typing.get_origin(hint) is typing.Literal:
        return 0
    return sum(_resolved(inner, seen) for inner in typing.get_args(hint))


def test_the_standard_library_does_not_know_the_sdk_s_shapes() -> None:
    """Why typing_extensions is asked: with `typing` every property would pass."""
    account = azure.mgmt.storage.types.StorageAccountCreateParameters

    assert is_shape(account)
    assert not typing.is_typeddict(account)


def test_names_are_those_of_the_wire_at_every_depth() -> None:
    site = properties_of(azure.mgmt.web.types.Site)["properties"]
    assert isinstance(site, type)
    config = properties_of(site)["functionAppConfig"]
    assert isinstance(config, type)
    scale = properties_of(config)["scaleAndConcurrency"]
    assert isinstance(scale, type)

    assert {"instanceMemoryMB", "maximumInstanceCount", "alwaysReady", "triggers"} <= set(
        properties_of(scale)
    )
    assert "instance_memory_mb" not in properties_of(scale)


def test_what_other_shapes_inherit_is_in_them() -> None:
    assert {"location", "tags", "kind", "identity"} <= set(properties_of(azure.mgmt.web.types.Site))
