"""The Flask example of passtwist: a session, a form, an upload, a stream."""

import hashlib
import os
import time

from flask import (
    Flask,
    Response,
    redirect,
    render_template,
    request,
    session,
    stream_with_context,
    url_for,
)

MAX_LINES = 100
MAX_PAUSE = 2.0  # seconds


def create_app():
    """Make the application."""
    app = Flask(__name__)
    app.config.update(
        # Good enough to try things out on one's own machine, for nothing else.
        SECRET_KEY=os.environ.get("FLASK_SECRET_KEY", "demo-only-not-secret"),
        MAX_CONTENT_LENGTH=20 * 1024 * 1024,
        # Other sites live on the same host below other paths.
        SESSION_COOKIE_NAME="flask_site_session",
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.add_url_rule("/", "index", index, methods=["GET", "POST"])
    app.add_url_rule("/upload", "upload", upload, methods=["GET", "POST"])
    app.add_url_rule("/stream", "stream", stream)
    app.add_url_rule("/healthz", "healthz", healthz)
    return app


def index():
    """Count this visitor's visits, and remember a name."""
    if request.method == "POST":
        session["name"] = request.form.get("name", "").strip()[:80]
        return redirect(url_for("index"))
    session["visits"] = session.get("visits", 0) + 1
    return render_template(
        "index.html", name=session.get("name"), visits=session["visits"]
    )


def upload():
    """Tell what an uploaded file is like.  It is not kept."""
    file = request.files.get("file")
    if not file:
        return render_template("upload.html", file=None)
    data = file.read()
    facts = {
        "Name": file.filename,
        "Type": file.mimetype,
        "Size": f"{len(data)} bytes",
        "SHA-256": hashlib.sha256(data).hexdigest(),
    }
    return render_template("upload.html", file=facts)


def stream():
    """Lines that are sent as they are made: ``/stream?lines=5&pause=0.5``."""
    lines = min(max(request.args.get("lines", 10, type=int), 0), MAX_LINES)
    pause = min(max(request.args.get("pause", 0.3, type=float), 0.0), MAX_PAUSE)

    def make_lines():
        for number in range(1, lines + 1):
            yield f"line {number} of {lines}\n"
            if number < lines:
                time.sleep(pause)

    return Response(stream_with_context(make_lines()), mimetype="text/plain")


def healthz():
    """Says ok."""
    return Response("ok\n", mimetype="text/plain")


app = create_app()
