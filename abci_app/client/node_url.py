"""The address of a node's RPC as text, checked before anything is sent to it."""

from urllib.parse import urlsplit

from abci_app.client.errors import BadNodeUrl

SCHEMES = ("http", "https")
EXAMPLE = "such as http://127.0.0.1:26657"


def check_node_url(url: str) -> None:
    """Raises BadNodeUrl unless `url` is http or https with a host, and with a port that exists if it names one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadNodeUrl(f"{url!r} is not an address: {error}", EXAMPLE) from None
    if parts.scheme not in SCHEMES:
        raise BadNodeUrl(f"{url!r} is not an address that begins with http:// or https://", EXAMPLE)
    if not host or port == 0 or any(char.isspace() or not char.isprintable() for char in url):
        raise BadNodeUrl(f"{url!r} names no host", EXAMPLE)
