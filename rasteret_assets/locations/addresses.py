"""Network addresses that no href, name or redirect may lead to."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from rasteret_assets.errors import ProblemCode, ProblemError

_METADATA_SERVICES: Final = frozenset(
    {
        # Outside the link-local ranges, where most clouds keep theirs (169.254.169.254).
        ip_address("fd00:ec2::254"),  # AWS, IPv6
        ip_address("168.63.129.16"),  # Azure's platform address
        ip_address("100.100.100.200"),  # Alibaba Cloud
    }
)


def check_address(host: str) -> None:
    """Refuse `host` if it is the literal of an address that is never a file server.

    Link-local addresses (RFC 3927, RFC 4291 section 2.5.6) and those of cloud metadata
    services hand out credentials; a table from elsewhere must not make this machine ask them.
    A name passes: what it resolves to is checked when it is resolved.

    Raises
    ------
    ProblemError
        ADDRESS_BLOCKED.
    """
    if not host or (host[-1] not in "0123456789" and ":" not in host):
        return  # a name, as nearly all are
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return
    if _is_blocked(address):
        raise ProblemError(ProblemCode.ADDRESS_BLOCKED, f"the address {host} is never asked")


def _is_blocked(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (inner := _embedded(address)) is not None:
        return _is_blocked(inner)
    return address.is_link_local or address.is_multicast or address in _METADATA_SERVICES


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that `address` leads to: mapped, 6to4, or through NAT64."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.packed[:12] == _NAT64:
        return IPv4Address(address.packed[12:])
    return None


_NAT64: Final = ip_address("64:ff9b::").packed[:12]  # RFC 6052, section 2.1
