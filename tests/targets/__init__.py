"""Target clusters for the tests, friendly and hostile, and the objects that point at them."""
