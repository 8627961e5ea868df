"""A Flask app that says who answers.

Runs in: framework spawners (Flask itself), app spawners and workers.
"""

import json
import os

from flask import Flask

app = Flask(__name__)
LOADED_BY = os.getpid()


@app.route("/")
def index():
    return json.dumps(
        {"pid": os.getpid(), "parent": os.getppid(), "loaded_by": LOADED_BY}
    )
