"""Does what Metacontroller 4.17.2 does, for tests on machines that have no Metacontroller.

It reads DecoratorControllers and CompositeControllers from the API server, watches their parents,
calls their hooks in version v2 and applies the answers. It is nowhere more generous than the real
one: what it does not know (hooks of version v1, rolling updates, ETags, TLS settings) it refuses
when a controller asks for it. The same tests judge both.
"""
