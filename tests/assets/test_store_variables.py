"""What the object storage resource makes the environment of a process say, and for how long."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import dagster as dg
import pytest

from rasteret_assets.assets import ObjectStorageResource
from rasteret_assets.errors import ConfigError
from tests.assets.elsewhere import go_elsewhere, of_stores


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment with keys that leads to no store."""
    go_elsewhere(monkeypatch)


def test_what_is_not_set_is_left_to_the_environment() -> None:
    assert ObjectStorageResource().variables() == {}


def test_every_field_has_its_variables_and_an_empty_text_removes_them() -> None:
    every = ObjectStorageResource(
        s3_endpoint="https://store.example",
        s3_region="eu-central-1",
        s3_profile="readers",
        s3_unsigned=True,
        s3_requester_pays=True,
        gs_endpoint="https://google.example",
        gs_unsigned=True,
        gs_credentials_file="/account.json",
    )
    assert {name: value for name, value in every.variables().items() if value} == {
        "AWS_ENDPOINT_URL_S3": "https://store.example",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_PROFILE": "readers",
        "AWS_DEFAULT_PROFILE": "readers",
        "AWS_NO_SIGN_REQUEST": "YES",
        "AWS_REQUEST_PAYER": "requester",
        "STORAGE_EMULATOR_HOST": "https://google.example",
        "GS_NO_SIGN_REQUEST": "YES",
        "GOOGLE_APPLICATION_CREDENTIALS": "/account.json",
    }
    none = ObjectStorageResource(s3_endpoint="", s3_requester_pays=False, gs_unsigned=False)
    assert none.variables() == dict.fromkeys(
        ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REQUEST_PAYER", "GS_NO_SIGN_REQUEST"]
    )


def test_those_who_say_the_same_at_once_leave_the_environment_as_it_was() -> None:
    before = of_stores()
    resource = ObjectStorageResource(
        s3_endpoint="https://store.example", s3_profile="readers", s3_unsigned=False
    )
    together = Barrier(8)

    def use(number: int) -> set[tuple[str | None, ...]]:
        seen = set()
        with dg.build_resources({"object_storage": resource}):
            together.wait(10)
            for _ in range(200):
                seen.add(_said())
            if number % 2:
                together_half.wait(10)
            else:
                half_left.wait(10)
                seen.add(_said())
        if number % 2:
            half_left.set()
        return seen

    together_half, half_left = Barrier(4), Event()
    with ThreadPoolExecutor(8) as pool:
        seen = set().union(*pool.map(use, range(8)))

    assert seen == {("https://store.example", "readers", None)}
    assert of_stores() == before


def _said() -> tuple[str | None, ...]:
    return tuple(map(os.environ.get, ("AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_ACCESS_KEY_ID")))


def test_who_comes_and_goes_in_many_threads_leaves_the_environment_as_it_was() -> None:
    before = of_stores()
    resource = ObjectStorageResource(s3_endpoint="https://store.example")
    context = dg.build_init_resource_context()

    def use(_: int) -> str | None:
        with resource.yield_for_execution(context):
            return os.environ.get("AWS_ENDPOINT_URL_S3")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(400))) == {"https://store.example"}
    assert of_stores() == before


def test_runs_of_one_process_that_contradict_each_other_are_refused() -> None:
    before = of_stores()
    one = ObjectStorageResource(s3_endpoint="https://one.example")
    for other in (ObjectStorageResource(s3_endpoint="https://other.example"), None):
        with dg.build_resources({"object_storage": one}):
            with (
                pytest.raises(dg.DagsterResourceFunctionError) as refused,
                dg.build_resources({"object_storage": other or ObjectStorageResource()}),
            ):
                pass
            assert isinstance(refused.value.__cause__, ConfigError)
            assert "(AWS_ENDPOINT_URL_S3)" in str(refused.value.__cause__)
            assert os.environ["AWS_ENDPOINT_URL_S3"] == "https://one.example"
    with dg.build_resources({"object_storage": ObjectStorageResource(s3_region="other")}):
        assert os.environ["AWS_REGION"] == "other"
    assert of_stores() == before
