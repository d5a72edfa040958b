"""Signers by name, so that a declaration, a command line or a Collection can ask for one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from rasteret_assets.errors import ConfigError
from rasteret_assets.fetch.signing import HrefSigner, Signature

GROUP: Final = "rasteret_assets.signers"
"""Entry points of this group are signers that other packages bring: callables without arguments
that return one, by the name it is asked for."""

PLANETARY_COMPUTER: Final = "planetary-computer"


@dataclass(frozen=True, slots=True)
class FirstOf:
    """Several signers as one: the first that a web address needs signs it."""

    signers: tuple[HrefSigner, ...]

    def scope(self, url: str) -> str | None:
        """Return the number of the signer and its scope."""
        for number, signer in enumerate(self.signers):
            if (scope := signer.scope(url)) is not None:
                return f"{number} {scope}"
        return None

    def signature(self, scope: str) -> Signature:
        """Return a new signature of the signer that `scope` names."""
        number, _, own = scope.partition(" ")
        return self.signers[int(number)].signature(own)


def signer_of(signs: Sequence[HrefSigner | str]) -> HrefSigner | None:
    """Return the signer that does what all of `signs` do; None where there is none.

    Raises
    ------
    ConfigError
        If one is no signer, or a name that nobody knows, or its package is not installed.
    """
    signers = tuple(dict.fromkeys(_signer(sign) for sign in signs))
    return signers[0] if len(signers) == 1 else FirstOf(signers) if signers else None


def check_signer(name: str) -> str:
    """Return `name` if a signer has it; nothing is imported.

    Raises
    ------
    ConfigError
        If none has; the message says which names there are.
    """
    known = sorted({PLANETARY_COMPUTER, *(point.name for point in _others())})
    if name not in known:
        msg = f"sign {name!r}: no signer has that name; there are {known}"
        raise ConfigError(msg)
    return name


def _signer(sign: HrefSigner | str) -> HrefSigner:
    if isinstance(sign, str):
        return _named(sign)
    if not isinstance(sign, HrefSigner):
        msg = (
            f"sign is {sign!r}: give the name of a signer, such as {PLANETARY_COMPUTER!r}, or an "
            "object with the methods of rasteret_assets.HrefSigner"
        )
        raise ConfigError(msg)
    return sign


@cache
def _named(name: str) -> HrefSigner:
    """Return the signer of that name, one for all, as its signatures are kept by it."""
    check_signer(name)
    made: object
    if name == PLANETARY_COMPUTER:
        made = _planetary_computer()
    else:
        point = next(point for point in _others() if point.name == name)
        made = point.load()()
    if not isinstance(made, HrefSigner):
        msg = f"sign {name!r}: {made!r} has not the methods of rasteret_assets.HrefSigner"
        raise ConfigError(msg)
    return made


def _planetary_computer() -> object:
    try:  # here, as it takes an optional package, and long to import
        module = import_module("rasteret_assets.fetch.planetary")
    except ModuleNotFoundError as error:
        if error.name != "planetary_computer":
            raise
        msg = (
            f"sign {PLANETARY_COMPUTER!r} needs the package of that name: "
            "pip install 'rasteret-assets[planetary-computer]'"
        )
        raise ConfigError(msg) from error
    return module.PlanetaryComputerSigner()


def _others() -> Sequence[EntryPoint]:
    return tuple(entry_points(group=GROUP))
