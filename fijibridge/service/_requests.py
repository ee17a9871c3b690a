"""What requests look like, with examples for the OpenAPI description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Spacing = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
_PATH = Annotated[str, Field(min_length=1, max_length=4096)]


PREVIEW_MOST = 3000


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class JobRequest(_Request):
    """A job to do."""

    operation: Annotated[str, Field(max_length=60, examples=["decurtain"])]
    engine: Annotated[str, Field(max_length=60, examples=["native"])] = "native"
    parameters: Annotated[dict[str, Any], Field(examples=[{"method": "otsu"}])] = {}
    inputs: Annotated[dict[str, _PATH], Field(examples=[{"volume": "/data/stack.tif"}])] = {}
    #: Voxel size (z, y, x) and its unit, where the file does not say them.
    spacing: Annotated[Spacing | None, Field(examples=[[256.0, 55.0, 55.0]])] = None
    units: Annotated[Literal["nm", "um"] | None, Field(examples=["nm"])] = None
    output: Annotated[_PATH | None, Field(examples=["/data/result.tif"])] = None
    lease: Annotated[_PATH | None, Field(examples=["/home/me/.local/state/fijibridge/service/inbox/1.lease"])] = None


class SessionRequest(_Request):
    """A volume to paint on."""

    volume: Annotated[_PATH, Field(examples=["/data/stack.tif"])]
    spacing: Annotated[Spacing | None, Field(examples=[[256.0, 55.0, 55.0]])] = None
    units: Annotated[Literal["nm", "um"] | None, Field(examples=["nm"])] = None


class _ForestRequest(_Request):
    labels: Annotated[_PATH, Field(examples=["/data/RoiSet.zip"])]
    #: The library's own where left out; reading them here would load the forest before the service answers.
    trees: Annotated[int | None, Field(ge=1, le=1000)] = None
    min_leaf: Annotated[int | None, Field(ge=1)] = None
    seed: Annotated[int, Field(ge=0)] = 0

    def forest(self) -> dict[str, int]:
        """Give the forest's settings that were asked for."""
        asked = {"trees": self.trees, "min_leaf": self.min_leaf, "seed": self.seed}
        return {name: value for name, value in asked.items() if value is not None}


class PreviewRequest(_ForestRequest):
    """Labels as they are now, and the slice (from 0) to label by them."""

    slice: Annotated[int, Field(ge=0, examples=[25])]
    #: An answer within a second matters more here than the last of the voxels; the answer tells both numbers.
    most: Annotated[int, Field(ge=1, description="Voxels of a class that a preview trains on.")] = PREVIEW_MOST
    output: Annotated[_PATH | None, Field(examples=["/data/preview.tif"])] = None


class ModelRequest(_ForestRequest):
    """Labels as they are now, and where to save the forest trained on them."""

    output: Annotated[_PATH, Field(examples=["/data/model.fbforest"])]
