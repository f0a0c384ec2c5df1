"""How an option dataclass becomes a table of the file: nothing in it is guessed, or changed later."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

Options = TypeVar("Options")


class Group(BaseModel):
    """Tables within a table. What stands in them as `Table` takes this configuration over."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class _FromTable:
    """Lets a table become a dataclass, which strictness else forbids; its values stay strict.

    No key is taken that is not declared, also where other tables may have any name.
    """

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        found: Any = handler.resolve_ref_schema(schema)
        while found["type"] != "dataclass":  # it is behind its validators
            found = handler.resolve_ref_schema(found["schema"])
        found["strict"] = False
        found["config"] = {**found.get("config", {}), "extra_fields_behavior": "forbid"}
        return schema


Table = Annotated[Options, _FromTable()]
"""A table of the file, as the option dataclass that a package owns."""
