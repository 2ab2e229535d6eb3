"""pydantic's JSON schema of a model, with what it leaves out marked instead of dropped.

pydantic's own generator describes a type by a format that API servers do not know or read more widely, skips what it
cannot describe with a warning, and says nothing about limits that JSON Schema does not have. Here each such place
carries a mark, :data:`REFUSED`, with the reason and the way out; the compiler turns it into an error that names the
field. Where a pattern can say what pydantic reads, the schema has the pattern.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema, PydanticSerializationError

from zestor_controller.crd.modelrules import faults
from zestor_controller.objects.meta import KEEPS_UNKNOWN
from zestor_controller.objects.wireform import wire_value

__all__ = ["FIELD_FAULTS", "REFUSED", "Generator"]

Json = dict[str, Any]

REFUSED: Final = "refused"
"""The reason why a schema cannot be part of a CRD."""
FIELD_FAULTS: Final = "refusedFields"
"""The same for fields of a model: a list of the name and the reason."""

_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"
# Beside the server's formats: Python's dates begin with the year 1, fractions with a point, offsets end below a day.
_DATE: Final = "^0{0,3}[1-9]"
_DATE_TIME: Final = rf"{_DATE}[0-9-]*[Tt][0-9:]+(\.[0-9]+)?([Zz]|[+-]{_CLOCK})$"
_TIME: Final = rf"^{_CLOCK}(:[0-5][0-9](\.[0-9]{{1,6}})?)?([Zz]|[+-]{_CLOCK})?$"
_HEX: Final = "[0-9a-fA-F]"
_LABEL: Final = "[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HOST: Final = rf"(({_LABEL}\.)*[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*|{_OCTET}(\.{_OCTET}){{3}})"
_PORT: Final = r"(:([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}))?"
_REST: Final = r"([/?#]([!#$&-;=?-Z_a-z~]|%[0-9A-Fa-f]{2})*)?"
_LIMITS: Final = ("gt", "ge", "lt", "le")
_TEXT_KEYS: Final = ("any", "str", "enum", "literal", "definition-ref")


class Generator(GenerateJsonSchema):
    """Writes the schema of what is read (mode ``validation``) and of what is written (``serialization``)."""

    def emit_warning(self, kind: Any, detail: str) -> None:
        """Pydantic warns of what it leaves out; nothing is left out here."""
        raise PydanticInvalidForJsonSchema(detail)

    def encode_default(self, dft: Any) -> Any:
        """A default as it is sent: without the None of optional fields."""
        try:
            return wire_value(dft, super().encode_default(dft), "default")
        except ValueError as error:
            raise PydanticSerializationError(str(error)) from error

    def model_schema(self, schema: Any) -> Json:
        """The schema of a model, with the faults of its fields."""
        return _with_faults(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: Any) -> Json:
        """The schema of a dataclass, with the faults of its fields."""
        return _with_faults(super().dataclass_schema(schema), schema["cls"])

    def model_field_schema(self, schema: Any) -> Json:
        """The schema of a field; what has none is refused here, where the field is known."""
        try:
            return super().model_field_schema(schema)
        except PydanticInvalidForJsonSchema as error:
            return _refused(f"there is no JSON for this: {error.message}; use a type that has one, such as str")

    # Times

    def timedelta_schema(self, schema: Any) -> Json:
        """Refused: pydantic reads ISO 8601 only, servers take Go's form and others."""
        return _refused(
            "a timedelta reads '1h' from no server, and the server takes it: use Duration of zestor_controller"
        )

    def datetime_schema(self, schema: Any) -> Json:
        """RFC 3339 with a zone, as far as datetime can hold it."""
        if schema.get("tz_constraint") == "naive":
            return _refused("a datetime without a zone is refused by servers; use datetime or AwareDatetime")
        if "tz_constraint" in schema and schema["tz_constraint"] != "aware":
            return _refused("a datetime with a fixed offset has no structural form; use datetime")
        made = super().datetime_schema(schema)
        return _limited(schema, {**made, "pattern": _DATE_TIME} if made.get("format") == "date-time" else made)

    def date_schema(self, schema: Any) -> Json:
        """A day, from the year 1."""
        made = super().date_schema(schema)
        return _limited(schema, {**made, "pattern": _DATE} if made.get("format") == "date" else made)

    def time_schema(self, schema: Any) -> Json:
        """A time of the day; servers know no such format, so the pattern stands for it."""
        return _limited(schema, {"type": "string", "pattern": _TIME})

    # Texts and numbers

    def str_schema(self, schema: Any) -> Json:
        """A text; limits that hold for a changed text do not hold for the text that a server sees."""
        made = super().str_schema(schema)
        config = self._config
        changes = schema.get("strip_whitespace") or config.str_strip_whitespace
        cases = schema.get("to_lower") or schema.get("to_upper") or config.str_to_lower or config.str_to_upper
        if config.str_min_length:
            made.setdefault("minLength", config.str_min_length)
        if config.str_max_length is not None:
            made.setdefault("maxLength", config.str_max_length)
        if (changes and made.keys() & {"minLength", "pattern"}) or (cases and "pattern" in made):
            return _refused(
                "the text is changed before its limits are checked (strip_whitespace, to_lower, to_upper), and the "
                "server checks it unchanged; drop one of both"
            )
        if schema.get("ascii_only"):
            if "pattern" in made:
                return _refused("ascii_only beside a pattern has no structural form; say it in the pattern")
            made["pattern"] = r"^[\x00-\x7F]*$"
        return made

    def decimal_schema(self, schema: Any) -> Json:
        """Refused: neither a float nor a text holds what a Decimal holds."""
        return _refused("a Decimal has no structural form; use str with a pattern, or float")

    def uuid_schema(self, schema: Any) -> Json:
        """A UUID with all of its dashes or none; servers take any of them."""
        made = super().uuid_schema(schema)
        version = schema.get("version")
        third = f"{version}{_HEX}{{3}}" if version else f"{_HEX}{{4}}"
        fourth = f"[89abAB]{_HEX}{{3}}" if version else f"{_HEX}{{4}}"
        plain = f"{_HEX}{{12}}{third}{fourth}{_HEX}{{12}}"
        dashed = f"{_HEX}{{8}}-{_HEX}{{4}}-{third}-{fourth}-{_HEX}{{12}}"
        return {**made, "format": "uuid", "pattern": f"^({plain}|{dashed})$"}

    def url_schema(self, schema: Any) -> Json:
        """A URL with a plain host: servers and pydantic read other hosts by different rules."""
        schemes = schema.get("allowed_schemes")
        if not schemes and not schema.get("host_required"):
            schemes = ["[a-z][a-z0-9+-]*"]
        made = super().url_schema(schema)
        return {**made, "pattern": f"^({'|'.join(schemes or ['https?'])})://{_HOST}{_PORT}{_REST}$"}

    def multi_host_url_schema(self, schema: Any) -> Json:
        """Refused: servers know no URL with several hosts."""
        return _refused("a URL with several hosts has no structural form; use str")

    # Mappings

    def dict_schema(self, schema: Any) -> Json:
        """A mapping, whose keys are texts on the wire."""
        return _keyed(schema, super().dict_schema(schema))

    def frozendict_schema(self, schema: Any) -> Json:
        """See :meth:`dict_schema`."""
        return _keyed(schema, super().frozendict_schema(schema))

    def ordered_dict_schema(self, schema: Any) -> Json:
        """See :meth:`dict_schema`."""
        return _keyed(schema, super().ordered_dict_schema(schema))

    def counter_schema(self, schema: Any) -> Json:
        """See :meth:`dict_schema`."""
        return _keyed(schema, super().counter_schema(schema))

    # Functions

    def function_plain_schema(self, schema: Any) -> Json:
        """A validator that says nothing about what it reads: it reads at least what is written."""
        reads = schema.get("json_schema_input_schema") or {}
        writes = (schema.get("serialization") or {}).get("return_schema")
        if self.mode == "validation" and reads.get("type") == "any" and writes is not None:
            return self.generate_inner(writes)
        return super().function_plain_schema(schema)

    def ser_schema(self, schema: Any) -> Json | None:
        """What a serializer writes, which only its return annotation tells."""
        function = schema.get("function")
        ours = str(getattr(function, "__module__", "")).partition(".")[0] in ("pydantic", "pydantic_core")
        if function is not None and not ours and schema.get("return_schema") is None:
            return _refused(
                f"the serializer {getattr(function, '__name__', function)!r} does not say what it writes; annotate its "
                "return type"
            )
        return super().ser_schema(schema)


def _refused(reason: str) -> Json:
    return {"type": "string", REFUSED: reason}


def _with_faults(made: Json, model: type[Any]) -> Json:
    found = list(faults(model))
    if found:
        made[FIELD_FAULTS] = found
    if getattr(model, "model_config", {}).get("extra") == "allow" and model.model_config["extra"] is not KEEPS_UNKNOWN:
        made["x-kubernetes-preserve-unknown-fields"] = True
    return made


def _limited(schema: Any, made: Json) -> Json:
    if any(schema.get(limit) is not None for limit in _LIMITS) or schema.get("now_op"):
        return _refused("limits of times have no structural form; check them in the reconciler")
    return made


def _keyed(schema: Any, made: Json) -> Json:
    keys: CoreSchema | None = schema.get("keys_schema")
    while keys is not None and "schema" in keys and keys["type"] not in _TEXT_KEYS:
        keys = keys["schema"]
    if keys is not None and keys["type"] not in _TEXT_KEYS:
        return _refused("the keys of a mapping are texts on the wire; use dict[str, ...]")
    return made
