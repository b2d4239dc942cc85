"""The status page: what is wrong, in the words of the objects that say so."""
