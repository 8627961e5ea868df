"""(b) A connection like a database's: workers would read each other's answers."""

import os

import database

connection = database.connect(os.environ["DATABASE_PORT"])


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [connection.ask(b"select 1")]
