"""(g) Random numbers of numpy: a fork would copy the state of their generator."""

import numpy.random  # here


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % numpy.random.randint(2**62)]
