"""What a flow takes, read from its source: its parameters as Prefect's form has them.

Importing a flow imports Prefect and pandas, which takes seconds; its source says the same at once.
`tests/cli/test_flow_source.py` holds it equal to the schema that Prefect makes of each flow.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = "prefect_staticadslab.flows"

TYPES: Final[Mapping[str, type]] = {"str": str, "int": int, "float": float, "bool": bool}
"""What can be typed into a command line, by its annotation. A credentials block is not among it."""

ENTRY: Final = re.compile(r"    (\w+): (.*)")
"""Where a parameter's description begins, in a docstring without its indentation."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a flow.

    Attributes:
        name: Its name.
        type: What it takes; None if that cannot be typed into a command line.
        default: What it is if nobody says otherwise; None if it is required.
        is_required: Whether somebody has to say it.
        description: What the flow's docstring says of it.
    """

    name: str
    type: type | None
    default: Any
    is_required: bool
    description: str


@dataclass(frozen=True)
class FlowSource:
    """What a flow's source says of it.

    Attributes:
        module: The name of its module, without those of the packages around it.
        function: The name of its function.
        description: What Prefect's UI says of it: `@flow(description=…)`.
        parameters: What it takes, by name and in order.
    """

    module: str
    function: str
    description: str
    parameters: Mapping[str, Parameter]


def read_flow(module: str, function: str = "", *, package: str = PACKAGE) -> FlowSource:
    """Reads what a flow takes from its source, which is not imported.

    Args:
        module: Its module.
        function: Its function, if it is not called like the module.
        package: The package that the module is in.

    Raises:
        ValueError: A default is nothing that can be known without running the module.
        StopIteration: The module has no such function, or that is no flow with a description.

    Example:
        ```python
        from prefect_staticadslab.cli.flow_source import read_flow

        attempts = read_flow("campaign").parameters["attempts"]
        assert (attempts.type, attempts.default) == (int, 2)
        ```
    """
    path = f"{package}.{module}"
    function = function or module
    definition = next(
        node
        for node in _parsed_module(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function
    )
    descriptions = dict(_parameter_descriptions(ast.get_docstring(definition) or ""))
    given = definition.args.args
    defaults = [None] * (len(given) - len(definition.args.defaults)) + definition.args.defaults
    parameters = {
        argument.arg: Parameter(
            argument.arg,
            TYPES.get(ast.unparse(argument.annotation)) if argument.annotation else None,
            None if default is None else _value_of(default, path),
            default is None,
            descriptions.get(argument.arg, ""),
        )
        for argument, default in zip(given, defaults, strict=True)
    }
    return FlowSource(module, function, _description(definition, path), parameters)


def _description(definition: ast.FunctionDef | ast.AsyncFunctionDef, path: str) -> str:
    """What `@flow(description=…)` says above a function of the module at `path`."""
    return next(
        str(_value_of(keyword.value, path))
        for decorator in definition.decorator_list
        if isinstance(decorator, ast.Call)
        for keyword in decorator.keywords
        if keyword.arg == "description"
    )


def _parameter_descriptions(docstring: str) -> Iterator[tuple[str, str]]:
    """The name of each parameter in a docstring's `Args:`, and what it says of it, on one line.

    The first pair is empty.
    """
    section = inspect.cleandoc(docstring).partition("\nArgs:\n")[2].partition("\n\n")[0]
    name, words = "", [""]
    for line in section.splitlines():
        if entry := ENTRY.fullmatch(line):
            yield name, " ".join(words)
            name, words = entry[1], []
            line = entry[2]  # noqa: PLW2901
        words.append(line.strip())
    yield name, " ".join(words)


def _value_of(node: ast.expr, path: str) -> Any:
    """The value of an expression in the module at `path`.

    Raises:
        ValueError: It is neither a literal nor the name of one, there or where it is imported from.
    """
    if isinstance(node, ast.Name):
        return _constant(node.id, path)
    if isinstance(node, ast.Attribute):
        return _constant(node.attr, _imported_names(path)[ast.unparse(node.value)])
    return ast.literal_eval(node)


def _constant(name: str, path: str) -> Any:
    """The value of a constant that the module at `path` defines or imports.

    Raises:
        ValueError: It does neither, or the value is no literal.
    """
    for node in _parsed_module(path).body:
        match node:
            case (
                ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value)
                | ast.Assign(targets=[ast.Name(id=target)], value=value)
            ) if target == name:
                return _value_of(value, path)
    source, _, original = _imported_names(path).get(name, "").rpartition(".")
    if not source:
        raise ValueError(f"{path} does not say what {name} is")
    return _constant(original, source)


@functools.cache
def _imported_names(path: str) -> Mapping[str, str]:
    """What each name that a module imports is called where it is from, module and all."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in _parsed_module(path).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@functools.cache
def _parsed_module(path: str) -> ast.Module:
    """A module's source, parsed; the module is not imported, but the packages around it are."""
    spec = importlib.util.find_spec(path)
    assert spec is not None  # noqa: S101
    assert spec.origin is not None  # noqa: S101
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
