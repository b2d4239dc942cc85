"""The service that Metacontroller calls: one package a hook, and what the hooks share."""
