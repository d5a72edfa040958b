"""Which kind of server a location belongs to."""

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.fetch.signing import HrefSigner
from rasteret_assets.fetch.target import Origin
from rasteret_assets.fetch.web import WebOrigin
from rasteret_assets.locations import Location, gs_site, s3_site


class Origins:
    """The kinds of servers, each set up by the environment when first met."""

    def __init__(self, settings: FetchSettings, signer: HrefSigner | None) -> None:
        self._requester_pays = settings.requester_pays
        self._web = WebOrigin(signer)
        self._s3: Origin | None = None
        self._s3_site = s3_site()
        self._gs: Origin | None = None
        self._gs_site = gs_site()

    def of(self, location: Location) -> Origin:
        """Return what addresses `location`; for local files never used."""
        if location.scheme == "s3":
            if self._s3 is None:
                self._s3 = self._open_s3()
            return self._s3
        if location.scheme == "gs":
            if self._gs is None:
                self._gs = self._open_gs()
            return self._gs
        return self._web

    def limits_key(self, location: Location) -> str:
        """Return what stands for the server when load on it is counted."""
        if location.scheme == "s3":
            return self._s3_site.limits_key(location.bucket)
        if location.scheme == "gs":
            return self._gs_site.limits_key(location.bucket)
        return location.host  # empty for this machine

    def _open_s3(self) -> Origin:
        # here, as importing botocore takes 0.15 s that only s3:// needs
        from rasteret_assets.fetch.s3 import S3Origin  # noqa: PLC0415

        return S3Origin(self._s3_site, requester_pays=self._requester_pays)

    def _open_gs(self) -> Origin:
        # here, as importing google-auth takes 0.5 s that only gs:// needs
        from rasteret_assets.fetch.gs import GsOrigin  # noqa: PLC0415

        return GsOrigin(self._gs_site, requester_pays=self._requester_pays)
