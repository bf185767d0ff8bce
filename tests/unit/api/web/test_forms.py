from typing import Annotated, Literal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.datastructures import MultiDict

from api.web.forms import Form, bounds, parse, parse_task, sentences
from api.web.schemas import Invalid


class Cake(BaseModel):
    """A request with a field of each kind that pages have."""

    model_config = ConfigDict(strict=True)

    layers: Annotated[int, Field(ge=1, le=1200)] = 3
    sugar: Annotated[float, Field(ge=0.5, le=50)] = 1.0
    minutes: Annotated[float | None, Field(gt=0, le=60)] = None
    weights: Annotated[list[float] | None, Field(min_length=1, max_length=10)] = None
    motto: Annotated[str, Field(max_length=80)] = ""
    shape: Literal["round", "square"] = "round"
    height: float = 1.0
    vegan: bool = False


def test_each_field_has_a_sentence_made_from_its_bounds(app: Flask) -> None:
    with app.test_request_context():
        assert sentences(Cake, "cake.") == {
            "cake.layers": "A whole number from 1 to 1,200.",
            "cake.sugar": "A number from 0.5 to 50.",
            "cake.minutes": "A number above 0, at most 60.",
            "cake.weights": "1 to 10 numbers, separated by spaces or commas.",
            "cake.motto": "A line of text, at most 80 characters.",
            "cake.shape": "One of these: round, square.",
            "cake.height": "A number.",
        }


def test_the_sentences_are_in_the_readers_language(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "ru"}):
        assert sentences(Cake)["sugar"] == "Число от 0,5 до 50."


def test_what_is_wrong_stands_at_the_forms_field_and_the_first_fault_counts() -> None:
    form = Form(MultiDict({"layers": "0"}))
    with pytest.raises(Invalid) as refusal:
        parse(Cake, {"layers": 0, "weights": [1.0, "x", "y"], "shape": "star"})
    form.refuse(refusal.value, {"layers": "More.", "weights": "Numbers.", "shape": "Choose."}, shape="form")
    assert form.errors == {"layers": "More.", "weights": "Numbers.", "form": "Choose."}


def test_a_code_says_more_than_its_field_and_without_either_the_message_is_left() -> None:
    problems = [
        {"field": "layers", "message": "too many at once", "code": "in_all"},
        {"field": "oven", "message": "is off", "code": "value_error"},
    ]
    form = Form()
    form.refuse(Invalid(problems), {"in_all": "Fewer.", "layers": "More."})
    assert form.errors == {"layers": "Fewer.", "oven": "is off"}


def test_a_field_that_takes_one_of_several_types_is_described_by_the_first() -> None:
    assert bounds(Cake)["minutes"]["exclusiveMinimum"] == 0
    assert bounds(Cake)["minutes"]["default"] is None


def test_a_required_text_may_be_empty_and_a_number_that_is_empty_is_left_out() -> None:
    form = {"method": "sync", "kind": "word_count", "word_count.text": "", "word_count.shortest": " "}
    assert parse_task(form).params == {"text": "", "shortest": 1}


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/submit", "/"),
        ("/tasks/x/cancel", "/tasks/x"),
        ("/dead-letters/7/requeue", "/dead-letters/7"),
        ("/images/x/cancel", "/images/x"),
        ("/workflows/x/cancel", "/workflows/x"),
        ("/experiments/x/cancel", "/experiments/x"),
        ("/control/rate-limit", "/control"),
        ("/side-by-side/chain/run", "/side-by-side/chain"),
    ],
)
def test_who_opens_the_address_of_a_form_is_led_to_the_page_above_it(
    client: FlaskClient, address: str, page: str
) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.location) == (302, page)


def test_a_program_that_gets_what_takes_posts_alone_is_told_so(client: FlaskClient) -> None:
    answer = client.get("/submit", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
