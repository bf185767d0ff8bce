"""Side by side, as JSON."""

from typing import Any

from flask import Response, abort
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from api.side.present import feature_json
from api.side.rows import FEATURES, ROWS
from api.web.answers import json_answer
from api.web.schemas import Problem

side = APIBlueprint(
    "side",
    __name__,
    url_prefix="/api/side-by-side",
    abp_tags=[Tag(name="Side by side", description="Each feature by Celery and by hand")],
    abp_responses={422: Problem},
)


class FeaturePath(BaseModel):
    """A feature by its id."""

    feature: str


class FeatureOut(BaseModel):
    """A feature. `sides` has `celery` and `rabbitmq`, each with what it `gives`, the `idiom` (as one writes it in a
    project of one's own), the lab's own `code`, how many `lines` that is and its AMQP `objects`; `last` is the last
    run, whose tasks carry their histories, and whose messages are as they went to the broker."""

    id: str
    title: str
    about: str
    shows: str
    sides: dict[str, Any]
    last: dict[str, Any] | None


class FeaturesOut(BaseModel):
    """All features, in the page's order."""

    features: list[FeatureOut]


@side.get("", responses={200: FeaturesOut})
def index() -> Response:
    """All features, with the code of each side as it runs"""
    return json_answer({"features": [feature_json(feature) for feature in ROWS]})


@side.get("/<feature>", responses={200: FeatureOut, 404: Problem})
def one(path: FeaturePath) -> Response:
    """One feature, and what its last run came to"""
    found = FEATURES.get(path.feature) or abort(404, f"there is no feature {path.feature!r}")
    return json_answer(feature_json(found))
