import pytest

from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.pipeline.enrich import is_remote


@pytest.mark.parametrize(
    ("source", "remote"),
    [
        ("s3://bucket/items/", True),
        ("s3://bucket", True),
        ("s3://bucket/*/items.parquet", True),
        ("gs://bucket/items/", True),
        ("https://host/items.parquet", True),
        ("/data/items/", False),
        ("file:///data/items.parquet", False),
        ("items.parquet", False),
    ],
)
def test_a_source_that_is_a_prefix_or_a_bucket_is_remote_too(source: str, *, remote: bool) -> None:
    assert is_remote(CollectionSpec(name="demo", sources=(source,))) is remote
