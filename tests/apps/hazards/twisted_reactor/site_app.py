"""(e) The reactor of Twisted is made when it is imported."""

from twisted.internet import reactor  # here


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [type(reactor).__name__.encode()]
