"""What Flask and gunicorn see: paths, authentication, TLS, metrics and logs."""
