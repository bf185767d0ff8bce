from api import LabAPI
from api.web.answers import json_answer


def test_a_body_goes_out_as_json_in_the_order_of_its_members(app: LabAPI) -> None:
    with app.app_context():
        answer = json_answer({"b": 1, "a": "ё"}, 202)
    assert (answer.status_code, answer.content_type) == (202, "application/json")
    assert list(answer.get_json()) == ["b", "a"]


def test_the_status_is_200_where_none_is_named(app: LabAPI) -> None:
    with app.app_context():
        assert json_answer({}).status_code == 200
