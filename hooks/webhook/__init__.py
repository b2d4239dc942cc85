"""Metacontroller's webhooks: the contract, the requests and the loop that answers them."""
