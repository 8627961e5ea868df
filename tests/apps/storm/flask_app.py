"""The app with Flask, so that there is a framework to share.

Runs in: framework spawners (Flask itself), app spawners and workers.
"""

from answers import answer
from flask import Flask, Response, request

app = Flask(__name__)


@app.route("/", methods=["GET", "POST"])
@app.route("/healthz")
def index():
    status, body = answer(request.environ)
    return Response(body, status, content_type="text/plain")
