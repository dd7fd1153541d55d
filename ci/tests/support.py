"""Makes the scripts of `ci` importable for the tests, also those whose names have a hyphen."""

import importlib.util
import pathlib
import sys
from types import ModuleType

CI = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CI))


def load(name: str) -> ModuleType:
    """Imports `ci/<name>.py`."""
    specification = importlib.util.spec_from_file_location(name.replace("-", "_"), CI / f"{name}.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    # Data classes look their module up.
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module
