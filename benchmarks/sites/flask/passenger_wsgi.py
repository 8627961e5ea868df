"""The Flask site of the benchmarks."""

import os
import time

from flask import Flask, request

application = Flask(__name__)


@application.get("/")
def hello():
    return "hello world\n"


@application.get("/pid")
def pid():
    return f"{os.getpid()}\n"


@application.get("/sleep")
def sleep():
    time.sleep(int(request.query_string) / 1000)
    return f"{os.getpid()}\n"
