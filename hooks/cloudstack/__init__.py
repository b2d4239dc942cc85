"""The CloudStack API as typed commands and frozen models."""
