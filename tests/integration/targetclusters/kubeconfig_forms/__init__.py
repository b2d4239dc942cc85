"""Forms of kubeconfigs, as people and tools write them."""
