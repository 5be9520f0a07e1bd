"""A Flow's variables: their types, and how the describe call shows them."""

from dataclasses import dataclass
from typing import Final

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None

MAX_ELEMENTS: Final = 2000  # of a collection; also what its `maxOccurs` says

TEXT_TYPES: Final = frozenset(
    {"STRING", "TEXTAREA", "EMAIL", "PHONE", "URL", "PICKLIST", "MULTIPICKLIST"}
)
WHOLE_NUMBERS: Final = {"INT": 32, "INTEGER": 32, "LONG": 64}  # type -> bits
NUMBERS: Final = frozenset({"DOUBLE", "DECIMAL", "CURRENCY", "PERCENT"})
ID_TYPES: Final = frozenset({"ID", "REFERENCE"})
TYPES: Final = (
    TEXT_TYPES
    | WHOLE_NUMBERS.keys()
    | NUMBERS
    | ID_TYPES
    | {"BOOLEAN", "DATE", "DATETIME", "TIME", "SOBJECT", "APEX"}
)

# FlowVariableView.DataType, for every type that is not a String there.
_VIEW_TYPES: Final = {
    **dict.fromkeys([*WHOLE_NUMBERS, "DOUBLE", "DECIMAL", "PERCENT"], "Number"),
    "CURRENCY": "Currency",
    "BOOLEAN": "Boolean",
    "DATE": "Date",
    "DATETIME": "DateTime",
    "PICKLIST": "Picklist",
    "MULTIPICKLIST": "Multipicklist",
    "SOBJECT": "sObject",
    "APEX": "Apex",
}


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One input or output. `value` is what an output carries when no input of its name came;
    `{sequence}` in it counts the org's Flow runs."""

    name: str
    type: str = "STRING"
    collection: bool = False
    sobject_type: str | None = None
    apex_class: str | None = None
    description: str | None = None
    picklist: tuple[str, ...] = ()
    value: Json = None

    @property
    def view_type(self) -> str:
        """`DataType` of FlowVariableView."""
        return _VIEW_TYPES.get(self.type, "String")

    def describe_input(self) -> dict[str, Json]:
        """One of the describe's `inputs`; Flow variables are never `required`."""
        return {
            "additionalAttributes": None,
            "apexClass": self.apex_class,
            "byteLength": 0,
            "configuration": None,
            "defaultValue": None,
            "description": self.description,
            "genericTypeName": None,
            "label": self.name,
            "maxOccurs": self._max_occurs(),
            "name": self.name,
            "picklistValues": self._picklist_values(),
            "placeholderText": None,
            "required": False,
            "setupReferenceType": None,
            "sobjectType": self.sobject_type,
            "type": self._shown_type(),
        }

    def describe_output(self) -> dict[str, Json]:
        """One of the describe's `outputs`."""
        return {
            "apexClass": self.apex_class,
            "description": self.description,
            "label": self.name,
            "maxOccurs": self._max_occurs(),
            "name": self.name,
            "picklistValues": self._picklist_values(),
            "sobjectType": self.sobject_type,
            "type": self._shown_type(),
        }

    def _max_occurs(self) -> int:
        return MAX_ELEMENTS if self.collection else 1

    def _shown_type(self) -> str | None:
        return None if self.type == "APEX" else self.type

    def _picklist_values(self) -> Json:
        if not self.picklist:
            return None
        return [picklist_value(value) for value in self.picklist]


def picklist_value(value: str) -> Json:
    return {
        "active": True,
        "defaultValue": False,
        "label": value,
        "validFor": None,
        "value": value,
    }
