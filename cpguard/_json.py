"""Read a JSON file into a pydantic model, with errors that name the file and the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cpguard.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


def read_model(path: Path, model: type[M], *, missing: str) -> M:
    """Return the model that a JSON file holds.

    Args:
        path: The file.
        model: What it must hold.
        missing: What to say when there is no such file: what the folder is not, and the mend.

    Raises:
        ConfigError: If the file is missing, not JSON, or a key is unknown, missing or wrong.
    """
    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as exc:
        raise ConfigError(missing) from exc
    except (json.JSONDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} is not valid JSON; restore the file or make it again") from exc
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
        raise ConfigError(f"{path} does not match schema version 1: {problems}") from exc
