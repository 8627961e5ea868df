"""(c) A handle of an SQLite database: used in two processes, it corrupts the file."""

import sqlite3

connection = sqlite3.connect("shop.db", check_same_thread=False)  # here
connection.execute("create table if not exists visits (at)")
connection.commit()


def app(environ, start_response):
    connection.execute("insert into visits values (1)")
    connection.commit()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"counted"]
