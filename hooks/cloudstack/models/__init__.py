"""CloudStack's objects as frozen values; the only place that knows the answers' field names.

Each `from_json` keeps what the hooks use and raises `Malformed` where an object lacks what makes
it one. A text that the server left out is empty; what may be unknown is None. Field names and
types are those that CloudStack 4.22 was observed to send.
"""
