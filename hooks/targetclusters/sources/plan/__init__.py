"""Decides which objects are sources and what each of them wants; reads and writes nothing."""
