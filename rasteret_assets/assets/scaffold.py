"""What `dg scaffold defs rasteret_assets.RecordTableCollection NAME` writes."""

from typing import Final

import dagster as dg

from rasteret_assets.errors import ConfigError

TEMPLATE: Final = """\
type: {type_name}

attributes:
  # What the Collection is called: letters, digits, '.', '_' and '-'.
  name: {name}

  # Parquet with a row per scene: a file, folder or glob, local (relative paths count from the
  # project's folder), s3:// or gs://; or an https:// file. Several are given as a list.
  source: "s3://bucket/items/*.parquet"

  # Rows to take, as CQL2 text in the source's column names.
  # filter: '"eo:cloud_cover" < 20'

  # Source columns to take; all, if not given.
  # columns: [id, datetime, geometry, assets, "proj:epsg", "eo:cloud_cover"]

  # The source's column names to id, datetime, geometry, assets.
  # column_map: {{scene_id: id, acquired: datetime}}

  # Asset keys whose files' headers are fetched. Without them every asset that is a GeoTIFF is
  # taken; bands are then found by a first run, and enriched by a second.
  bands: [B04, B08]

  # Set to false to keep records alone.
  # enrich: true

  # What relative hrefs resolve against; their table's folder, if not given.
  # base_uri: "https://host/archive/"

  # Name of the signer that the hrefs need; its package must be installed.
  # sign: planetary-computer

  # Seconds between two looks at the source, once its sensor is switched on.
  # sensor_interval_s: 300

  # Seconds for which a file must not have changed before the sensor has it taken.
  # sensor_quiet_s: 60

  # When the source is taken in, for sources that cannot be watched. Switch the schedule on too.
  # update_cron: "0 4 * * *"

  # When headers that failed are asked for again, if that may help. Switch the schedule on too.
  # retry_cron: "0 6 * * *"

  # Runs that ask for a header that fails, before that schedule leaves it alone.
  # retry_rounds: 10

  # When, how many of the files (a HEAD request each), and how many requests at once to a host:
  # whether they changed since their headers were fetched. Switch the schedule on too.
  # drift: {{cron: "0 3 * * *", files: 500, per_host: 8}}

  # Shares, 0 to 1, beyond which a run stops: rows of the source set aside; files of a band
  # whose headers there must be before the Collection is touched.
  # max_set_aside: 0.01
  # min_coverage: 0.95  # or by band: {{B04: 0.99, B08: 0.9}}

  # Hours after which a Collection that was not brought up to date is shown as stale.
  # fresh_within_h: 24

  # A server that several collections share: each chunk of work takes a slot of this pool.
  # pool: archive_example_org

  # How its files are fetched, where that differs from the deployment's enrichment resource.
  # limits: {{max_concurrent: 32, request_timeout_s: 60, budget: {{requests: 12}}}}

  # description: Scenes of ...
  # owners: [team:imagery]
  # tags: {{domain: imagery}}
"""


class CollectionScaffolder(dg.Scaffolder):
    """Writes a `defs.yaml` that says what may be declared."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Write the file; the collection gets the name of its folder.

        Raises
        ------
        ConfigError
            If Python was asked for: declared collections are YAML.
        """
        if request.scaffold_format != "yaml":
            msg = "a collection is declared in YAML; leave out --format python"
            raise ConfigError(msg)
        folder = request.target_path.parent if request.append else request.target_path
        text = TEMPLATE.format(type_name=request.type_name, name=folder.name)
        file = folder / "defs.yaml"
        if request.append:
            with request.target_path.open("a") as stream:
                stream.write(f"---\n{text}")
        else:
            file.write_text(text)
