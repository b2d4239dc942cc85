"""`cs`, without the asyncio client that it makes where it finds aiohttp, and that is not used here.

aiohttp comes with the Kubernetes client. Imported, it takes 10 MB of each process and a quarter of
the time that the hooks take to start.
"""

import sys

# What Python does not even look for: docs.python.org/3/reference/import.html#the-module-cache
_LEFT_OUT = "aiohttp" not in sys.modules
if _LEFT_OUT:
    sys.modules["aiohttp"] = None  # type: ignore[assignment]
try:
    from cs import CloudStack, CloudStackApiException
finally:
    if _LEFT_OUT:
        del sys.modules["aiohttp"]

__all__ = ["CloudStack", "CloudStackApiException"]
