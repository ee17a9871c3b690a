"""One widget for all operations of the table, its fields made of each operation's parameters."""

from __future__ import annotations

import inspect
import json
from typing import Any, Literal, get_args, get_origin

import napari
from magicgui.widgets import CheckBox, ComboBox, Container, Label, LineEdit, PushButton, create_widget
from napari.layers import Image

from ..errors import ParameterError
from ..ops import operations
from ._layers import LayerData, to_layer, to_volume
from ._work import Tell, in_background


class OperationWidget(Container[Any]):
    """Choose an operation, fill in what it takes, run it on an image."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = viewer
        self._image: Any = create_widget(annotation=Image, label="Image")
        self._name = ComboBox(choices=sorted(operations()), label="Operation")
        self._engine = ComboBox(choices=("native",), label="Engine")
        self._summary = Label(value="")
        self._summary.native.setWordWrap(True)
        self._fields: Container[Any] = Container(labels=True)
        self._button = PushButton(text="Run")
        super().__init__(
            widgets=[self._image, self._name, self._summary, self._engine, self._fields, self._button], labels=True
        )
        self._name.changed.connect(self._show)
        self._button.changed.connect(self.run)
        self._show(self._name.value)

    def run(self) -> Any:
        """Run the operation on the chosen image; the result becomes a layer."""
        image, name, engine = self._image.value, self._name.value, self._engine.value
        if image is None:
            raise ParameterError("there is no image to work on; open a stack first")
        volume, given = to_volume(image), self.parameters()

        def work(tell: Tell) -> list[LayerData]:
            made = operations()[name](volume, engine=engine, **given)
            tell(1.0)
            return [to_layer(made, f"{image.name} {name}")]

        return in_background(name, work, self._viewer)

    def parameters(self) -> dict[str, Any]:
        """Give what was filled in; an empty field leaves the operation's default."""
        return {field.name: _read(field) for field in self._fields if _read(field) is not None}

    def _show(self, name: str) -> None:
        """Put up the fields of an operation."""
        found = operations()[name]
        self._summary.value = (inspect.getdoc(found) or "").split("\n")[0]
        self._engine.choices = found.engines
        self._fields.clear()
        for key, parameter in found.parameters.model_fields.items():
            self._fields.append(_field(key, parameter))


def _field(key: str, parameter: Any) -> Any:
    """Make the field of a parameter: a list of choices, a tick, or a line of JSON."""
    kind, default = parameter.annotation, None if parameter.is_required() else parameter.default
    if get_origin(kind) is Literal:
        return ComboBox(name=key, choices=get_args(kind), value=default)
    if kind is bool:
        return CheckBox(name=key, value=bool(default))
    hint = "needed" if parameter.is_required() else "JSON, such as 1.5 or [0, 10]; empty for none"
    return LineEdit(name=key, value="" if default is None else _text(default), tooltip=hint)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read(field: Any) -> Any:
    """Read a field; a line is JSON where it can be, and else the text itself."""
    value = field.value
    if not isinstance(field, LineEdit):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except ValueError:
        return value
