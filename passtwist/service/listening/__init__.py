"""What is listened on: endpoint strings, ports, Unix sockets, TLS, the PROXY protocol.

Runs in: the controller.
"""
