import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rasteret_assets.storage.filesystems import filesystem_of
from rasteret_assets.storage.objects import move, put_if_absent, remove, whole_file
from tests.storage.scripted import Answer, scripted_server

ATOMIC = ("local", "memory", "s3")  # the Google emulator ignores preconditions


@pytest.mark.parametrize("place", ATOMIC, indirect=True)
def test_of_many_writers_at_once_one_wins_and_its_bytes_stay(place: str) -> None:
    url = f"{place}/folder/_manifest-000001.json"
    start = threading.Barrier(8)

    def write(number: int) -> bool:
        fs, path = filesystem_of(url)
        fs.exists(path)
        start.wait(30)
        return put_if_absent(fs, path, f"writer {number} ".encode() * 2_000)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    fs, path = filesystem_of(url)
    assert won.count(True) == 1
    assert fs.cat_file(path) == f"writer {won.index(True)} ".encode() * 2_000
    assert [name.rpartition("/")[2] for name in fs.find(path.rpartition("/")[0])] == [
        "_manifest-000001.json"
    ]


@pytest.mark.parametrize("place", [*ATOMIC, "gs"], indirect=True)
def test_putting_the_same_bytes_again_is_still_ours(place: str) -> None:
    """A request that was answered, but whose answer was lost, is sent twice."""
    fs, path = filesystem_of(f"{place}/one.json")
    assert put_if_absent(fs, path, b"mine")
    assert put_if_absent(fs, path, b"mine") == (not place.startswith(("/", "memory")))


def test_google_is_asked_to_create_and_never_to_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator overwrites all the same, so what counts is the request."""
    with scripted_server(
        POST=[Answer(status=412, body=b"conditionNotMet")],
        GET=[Answer(status=200, body=b"theirs")],
    ) as script:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", script.url)
        fs, path = filesystem_of("gs://bucket/one.json")
        assert not put_if_absent(fs, path, b"mine")
    asked = [one for one in script.asked if one.method == "POST"]
    assert len(asked) == 1
    assert "ifGenerationMatch=0" in asked[0].target


def test_s3_is_asked_again_while_another_writer_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = b"<Error><Code>ConditionalRequestConflict</Code><Message>busy</Message></Error>"
    answers = [Answer(status=409, body=busy), Answer(status=200)]
    with scripted_server(PUT=answers) as script:
        monkeypatch.setenv("AWS_ENDPOINT_URL", script.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        fs, path = filesystem_of("s3://bucket/one.json")
        assert put_if_absent(fs, path, b"mine")
    assert len(script.asked) == 2
    assert {one.headers["if-none-match"] for one in script.asked} == {"*"}


def test_a_put_whose_answer_was_lost_is_known_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = b"<Error><Code>PreconditionFailed</Code><Message>there is one</Message></Error>"
    found = [Answer(status=200, body=b"mine")]
    answers = {"PUT": [Answer(status=412, body=failed)], "GET": found, "HEAD": found}
    with scripted_server(**answers) as script:
        monkeypatch.setenv("AWS_ENDPOINT_URL", script.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        fs, path = filesystem_of("s3://bucket/one.json")
        assert put_if_absent(fs, path, b"mine")
        assert not put_if_absent(fs, path, b"ours")


def test_a_file_appears_when_its_block_ends(place: str) -> None:
    fs, path = filesystem_of(f"{place}/folder/data.bin")
    with whole_file(fs, path) as file:
        file.write(b"x" * 100_000)
        assert place.startswith("memory") or not fs.exists(path)
    assert fs.cat_file(path) == b"x" * 100_000


@pytest.mark.parametrize(
    ("place", "size"),
    [("local", 10), ("memory", 10), ("s3", 10), ("gs", 10), ("local", 40 << 20), ("s3", 40 << 20)],
    indirect=["place"],
)
def test_a_block_that_fails_leaves_no_file(place: str, size: int) -> None:
    fs, path = filesystem_of(f"{place}/folder/data.bin")

    def write() -> None:
        with whole_file(fs, path) as file:
            file.write(b"x" * size)
            msg = "on the way"
            raise KeyboardInterrupt(msg)

    with pytest.raises(KeyboardInterrupt, match="on the way"):
        write()
    assert not fs.exists(path)
    assert not fs.find(path.rpartition("/")[0])


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # gcsfs's way
def test_an_upload_that_cannot_be_given_up_does_not_hide_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = {
        "POST": [
            Answer(status=200, headers={"Location": "{url}/a-session-of-its-own"}),
            Answer(status=308, headers={"Range": f"bytes=0-{(16 << 20) - 1}"}),
        ],
        "DELETE": [Answer(status=404)],
    }
    with scripted_server(**answers) as script:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", script.url)
        fs, path = filesystem_of("gs://bucket/data.bin")

        def write() -> None:
            with whole_file(fs, path) as file:
                file.write(b"x" * (16 << 20))
                msg = "on the way"
                raise KeyboardInterrupt(msg)

        with pytest.raises(KeyboardInterrupt, match="on the way"):
            write()
    assert [one.method for one in script.asked] == ["POST", "POST", "DELETE"]
    assert "an unfinished upload stays at the server" in caplog.text


def test_moving_and_removing_again_changes_nothing(place: str) -> None:
    fs, root = filesystem_of(place)
    fs.makedirs(root, exist_ok=True)
    pairs = [(f"{root}/_{name}.staged", f"{root}/{name}.parquet") for name in "abc"]
    for old, _ in pairs:
        fs.pipe_file(old, old.encode())
    move(fs, pairs[:1])
    move(fs, pairs)
    move(fs, pairs)
    assert {fs.cat_file(new) for _, new in pairs} == {old.encode() for old, _ in pairs}
    assert not any(fs.exists(old) for old, _ in pairs)
    remove(fs, [pairs[0][1]])
    remove(fs, [new for _, new in pairs])
    remove(fs, [new for _, new in pairs])
    assert not fs.find(root)
