"""What people send of a confirmation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django import forms

from agentops.catalog import pointers
from agentops.common.errors import DomainError, InvalidInput
from agentops.common.strictjson import loads
from agentops.confirmations.rendering import Leaf

FIELDS_MOST = 100  # values that are edited one by one; more are edited as one text
_MOST_BYTES, _MOST_DEPTH = 1_048_576, 64


def digest(text: str) -> bytes:
    """A digest as a form sends it. Nonsense is a digest that fits nothing."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


class ValueField(forms.CharField):
    """A text as it is. It has to be there, and may be empty: an empty text is a value too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)

    def validate(self, value: Any) -> None:
        return


class RefusalForm(forms.Form):
    reason = forms.CharField(
        label="Why not?",
        max_length=500,
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Whoever looks at this later reads it.",
    )


class CorrectnessForm(forms.Form):
    is_correct = forms.ChoiceField(choices=[("yes", "Yes"), ("no", "No")])
    comment = forms.CharField(max_length=1000, required=False, strip=True)


class EditForm(forms.Form):
    """The arguments of a call, value by value; those of many values as one text of JSON.

    What is sent is the whole: the values are put back into the arguments as they are bound.
    """

    def __init__(self, data: Any = None, *, arguments: bytes, leaves: Sequence[Leaf]) -> None:
        super().__init__(data)
        self.before = json.loads(arguments)
        self.leaves = [leaf for leaf in leaves if leaf.pointer and leaf.kind in _EDITED]
        self.is_whole = len(leaves) > FIELDS_MOST or not self.leaves
        if self.is_whole:
            self.fields["whole"] = _whole(self.before)
            return
        for place, leaf in enumerate(self.leaves):
            self.fields[f"value_{place}"] = _field(leaf)

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                self.arguments = self._whole() if self.is_whole else self._by_values()
            except InvalidInput as refusal:
                self.add_error(None, refusal.detail)
        return found

    def show(self, refusal: DomainError) -> None:
        """Put what the guard refuses at the values it points to."""
        by_pointer = {leaf.pointer: f"value_{place}" for place, leaf in enumerate(self.leaves)}
        for problem in refusal.problems:
            field = by_pointer.get(problem.pointer)
            is_shown = field is not None and not self.is_whole
            self.add_error(
                field if is_shown else None, problem.detail if is_shown else f"{problem.pointer} {problem.detail}"
            )
        if not refusal.problems:
            self.add_error(None, refusal.detail)

    def _whole(self) -> Any:
        return loads(self.cleaned_data["whole"].encode(), max_bytes=_MOST_BYTES, max_depth=_MOST_DEPTH)

    def _by_values(self) -> Any:
        made = json.loads(json.dumps(self.before))
        for place, leaf in enumerate(self.leaves):
            typed = self.cleaned_data[f"value_{place}"]
            if self[f"value_{place}"].initial != typed:
                _put(made, leaf.pointer, _value(leaf, typed, f"value_{place}", self))
        return made


_EDITED = frozenset({"text", "empty text", "number", "yes or no"})


def _whole(arguments: Any) -> forms.CharField:
    return forms.CharField(
        label="The values, as JSON",
        initial=json.dumps(arguments, indent=2, ensure_ascii=False),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false"}),
    )


def _field(leaf: Leaf) -> forms.Field:
    if leaf.kind == "yes or no":
        return forms.ChoiceField(label=leaf.label, choices=[("yes", "yes"), ("no", "no")], initial=leaf.raw)
    widget = forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}) if leaf.is_long else forms.TextInput()
    return (forms.CharField if leaf.kind == "number" else ValueField)(label=leaf.label, initial=leaf.raw, widget=widget)


def _value(leaf: Leaf, typed: str, field: str, form: forms.Form) -> Any:
    """What was typed, in the kind that the value had."""
    match leaf.kind:
        case "yes or no":
            return typed == "yes"
        case "number":
            try:
                number = loads(typed.encode(), max_bytes=400, max_depth=1)
            except InvalidInput:
                number = None
            if isinstance(number, bool) or not isinstance(number, int | float):
                form.add_error(field, "A number is expected, such as 4810.")
                return 0
            return number
        case _:
            return typed.replace("\r\n", "\n")


def _put(whole: Any, pointer: str, value: Any) -> None:
    *way, last = pointers.parts(pointer)
    for part in way:
        whole = whole[int(part)] if isinstance(whole, list) else whole[part]
    whole[int(last) if isinstance(whole, list) else last] = value
