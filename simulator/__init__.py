"""The part of the CloudStack API that the hooks use, in memory, as strict as the server."""
