"""The settings: environment variables, the cloud-config, and files that are read again."""
