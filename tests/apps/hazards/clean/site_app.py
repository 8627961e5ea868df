"""Nothing that a fork would break: also what looks like it, closed in time."""

import multiprocessing
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading

thread = threading.Thread(target=len, args=("",))
thread.start()
thread.join()
with sqlite3.connect(":memory:") as connection:
    connection.execute("select 1")
connection.close()
subprocess.run([sys.executable, "-S", "-c", ""], check=True)
ended = subprocess.Popen([sys.executable, "-S", "-c", ""], stdin=subprocess.PIPE)
ended.stdin.close()
os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
shared = multiprocessing.get_context("spawn").Lock()
with tempfile.TemporaryFile() as file:
    file.write(b"read, and closed")
unconnected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
log = open(os.devnull, "a")


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"clean"]
