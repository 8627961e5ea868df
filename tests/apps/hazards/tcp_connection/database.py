"""A client of a database, as libraries have them."""

import socket


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", int(port)))  # here

    def ask(self, question):
        self.socket.sendall(question)
        return self.socket.recv(100)


def connect(port):
    return Connection(port)
