"""Tidiness is a test: what a reviewer would otherwise have to look for in every change."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from borsa.matching import layout
from tests.house.source import (
    SERVICES,
    SRC,
    Function,
    Module,
    called,
    functions,
    imported,
    modules,
    text_of,
    tracked,
)

LINES_MAX = 400
FUNCTION_LINES_MAX = 60

LAW = ("matching/*.py", "services/*/model.py")
"""The law: decided from what is given, and from nothing else."""

MONEY = (
    *("money.py", "markets.py", "events.py", "requests.py"),
    *LAW,
    *(f"services/*/{room}.py" for room in ("handlers", "store", "tables", "wire", "publishing", "tape")),
    *("services/wallets/ledger.py", "services/wallets/border.py", "services/orders/crossing.py"),
    *(f"services/trades/{room}.py" for room in ("engine", "books", "outcomes")),
)
"""Where prices, quantities and balances are."""

FOLDS = (
    *("matching/*.py", "services/trades/engine.py", "services/trades/books.py", "services/trades/outcomes.py"),
    *(f"services/{service}/model.py" for service in ("orders", "trades", "wallets", "portfolios")),
)
"""What a replay must do again exactly."""

OUTSIDE = {
    *("time", "datetime", "random", "secrets", "uuid", "uuid_utils"),
    *("os", "io", "sys", "pathlib", "socket", "ssl", "shutil", "tempfile", "subprocess", "logging", "structlog"),
    *("asyncio", "threading", "multiprocessing", "concurrent", "sqlite3", "apsw", "sqlalchemy", "httpx", "starlette"),
}
"""Clocks, randomness and I/O."""

COMPILED = [SRC / "matching" / "kernel.pyx", *sorted((SRC / "matching" / "compiled").glob("*.pxi"))]

UNLAWFUL = {"float", "double", "time", "clock", "rand", "random", "open", "fopen", "print", "printf", "getenv"}

ROOMS = {
    "__init__.py",
    "api.py",
    "handlers.py",
    "model.py",
    "store.py",
    "tables.py",
    "wire.py",
    "migrations/__init__.py",
}

DRAWERS = {"utils", "util", "common", "helpers", "helper", "core", "base", "misc", "shared", "service"}
"""Names that say nothing, so that everything ends up there. (runtime/service.py is the manifest's own type.)"""

FOREIGN = {"asyncio.Protocol", "HttpToolsProtocol", "logging.Handler"}
"""Base classes from elsewhere, whose documentation says what their methods are."""

NAMES_OF_DATABASES = {"runtime/databases/sqlite.py", "commands/audit/moment.py"}
"""Here SQL takes a name where no parameter may stand (PRAGMA, an attached database): only of constants of the code."""

UNFINISHED = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|HA[C]K)\b")

REGISTRY = re.compile(r"pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|crates[.]io|proxy[.]golang[.]org")

MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:home|root|Users|work|mnt)/[\w.-]")


def test_no_float_touches_money() -> None:
    found = [module.at(node) for module in modules(*MONEY) for node in ast.walk(module.tree) if _is_float(node)]
    assert not found, "\n".join(found)


def _is_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is float
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return isinstance(node.op, ast.Div)
    return isinstance(node, ast.Name) and node.id in ("float", "Decimal", "round")


def test_the_law_knows_no_clock_no_chance_and_no_world() -> None:
    found = [
        f"{module.at(node)}: {name}"
        for module in modules(*LAW)
        for node, name in imported(module)
        if name.partition(".")[0] in OUTSIDE
    ]
    found += [
        f"{module.at(node)}: {called(node)}"
        for module in modules(*LAW)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and called(node) in ("open", "print", "input")
    ]
    assert not found, "\n".join(found)


def test_the_compiled_kernel_knows_no_float_no_clock_and_no_chance() -> None:
    for path in COMPILED:
        code = re.sub(r"#.*", "", path.read_text())
        assert not UNLAWFUL.intersection(re.findall(r"\w+", code)), path.name
        assert code.count("\n") <= LINES_MAX, path.name


def test_the_compiled_kernel_has_the_numbers_of_the_layout() -> None:
    text = (SRC / "matching" / "compiled" / "records.pxi").read_text()
    numbers = {name: int(value) for name, value in re.findall(r"^    ([A-Z_]+) = (\d+)$", text, re.MULTILINE)}
    known = {name: numbers[name] for name in numbers if hasattr(layout, name)}
    assert known == {name: getattr(layout, name) for name in known}
    assert numbers.keys() - known == {"RECORD_BYTES", "MARKETS"}


def test_no_fold_follows_the_order_of_a_set() -> None:
    found = [
        module.at(node)
        for module in modules(*FOLDS)
        for node in ast.walk(module.tree)
        for loop in _loops(node)
        if _is_set(loop.iter)
    ]
    assert not found, "\n".join(found)


def _loops(node: ast.AST) -> list[ast.For | ast.comprehension]:
    if isinstance(node, ast.For):
        return [node]
    return list(getattr(node, "generators", ()))


def _is_set(node: ast.AST) -> bool:
    return isinstance(node, ast.Set | ast.SetComp) or (isinstance(node, ast.Call) and called(node) in ("set", "hash"))


def test_no_sql_is_built_from_strings() -> None:
    found = [
        module.at(node)
        for module in modules()
        if module.name not in NAMES_OF_DATABASES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and called(node) in ("execute", "executemany", "executescript", "exec_driver_sql", "text")
        and node.args
        and _is_built(node.args[0])
    ]
    assert not found, "\n".join(found)


def _is_built(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call)


def test_nothing_is_left_for_later() -> None:
    found = [f"{path}: {word[0]}" for path in tracked() for word in UNFINISHED.finditer(text_of(path))]
    assert not found, "\n".join(found)


def test_no_file_is_a_drawer() -> None:
    names = [path.relative_to(SRC) for path in SRC.rglob("*") if path.suffix == ".py" or path.is_dir()]
    assert not [str(name) for name in names if name.stem in DRAWERS and str(name) != "runtime/service.py"]


def test_every_service_has_the_same_rooms() -> None:
    for folder in sorted(path for path in SERVICES.iterdir() if (path / "__init__.py").exists()):
        assert not {room for room in ROOMS if not (folder / room).exists()}, folder.name
        assert sorted(folder.glob("migrations/0001_*.py")), folder.name


def test_files_and_functions_are_short() -> None:
    long = [f"{module.name}: {lines} lines" for module in modules() if (lines := _lines(module)) > LINES_MAX]
    long += [
        f"{module.at(function)} {function.name}: {lines} lines"
        for module in modules()
        if "/migrations/" not in module.name
        for function in functions(module)
        if (lines := _length(function)) > FUNCTION_LINES_MAX
    ]
    assert not long, "\n".join(long)


def _lines(module: Module) -> int:
    return module.text.count("\n")


def _length(function: Function) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def test_everything_public_says_what_it_is() -> None:
    """Modules, classes, functions and methods. A method need not repeat what the Protocol or the base class that it
    fills in says of it."""
    promised = set(_promised())
    found = [module.at(module.tree) for module in modules() if module.text.strip() and _silent(module.tree)]
    for module in modules():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef | Function) and _public(node.name):
                found += [f"{module.at(each)} {each.name}" for each in _with_methods(node, promised) if _silent(each)]
    assert not found, "\n".join(found)


def _with_methods(node: ast.ClassDef | Function, promised: set[str]) -> Iterator[ast.ClassDef | Function]:
    yield node
    if isinstance(node, ast.ClassDef) and not FOREIGN.intersection(map(ast.unparse, node.bases)):
        for each in node.body:
            if isinstance(each, Function) and _public(each.name) and each.name not in promised:
                yield each


def _promised() -> Iterator[str]:
    """The methods that a Protocol, or a class with subclasses, documents."""
    classes = [node for module in modules() for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    bases = {ast.unparse(base).partition("[")[0] for node in classes for base in node.bases}
    for node in classes:
        if node.name in bases or any(ast.unparse(base).startswith("Protocol") for base in node.bases):
            yield from (each.name for each in node.body if isinstance(each, Function) and not _silent(each))


def _public(name: str) -> bool:
    return not name.startswith("_")


def _silent(node: ast.Module | ast.ClassDef | Function) -> bool:
    return not ast.get_docstring(node)


def test_nothing_is_defined_that_nobody_uses() -> None:
    used = Counter(word for path in tracked() if path.suffix == ".py" for word in re.findall(r"\w+", text_of(path)))
    found = [
        f"{module.at(node)} {name}"
        for module in modules()
        if "/migrations/" not in module.name
        for name, node in _definitions(module)
        if used[name] < 2
    ]
    assert not found, "\n".join(found)


def _definitions(module: Module) -> Iterator[tuple[str, ast.AST]]:
    """Names that a module makes; what a framework calls by its decorator or base class is not among them."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.decorator_list:
            yield node.name, node
        if isinstance(node, ast.ClassDef) and not FOREIGN.intersection(map(ast.unparse, node.bases)):
            yield from (
                (each.name, each) for each in node.body if isinstance(each, Function) and not each.decorator_list
            )
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (target.id for target in targets if isinstance(target, ast.Name))
            yield from ((name, node) for name in names if not name.startswith("__"))


def test_no_registry_and_no_machine_is_named() -> None:
    found = [
        f"{path}: {each[0]}"
        for path in tracked()
        for pattern in (REGISTRY, MACHINE_PATH)
        for each in pattern.finditer(text_of(path))
    ]
    assert not found, "\n".join(found)
