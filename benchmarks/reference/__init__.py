"""What the servers are compared with that is no server."""
