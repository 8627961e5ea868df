"""The app without a framework.

Runs in: app spawners and workers.
"""

from answers import answer


def application(environ, start_response):
    status, body = answer(environ)
    start_response(
        status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    )
    return [body]
