"""The service that Metacontroller calls: one package a hook, and what the hooks share."""

#: The version of the project; a test compares it with pyproject.toml.
VERSION = "0.1.0"
