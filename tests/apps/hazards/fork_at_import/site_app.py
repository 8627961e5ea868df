"""(h) A process is forked at import: workers would mix on its pipes."""

import os
import signal

ask, question = os.pipe()
answer, say = os.pipe()
child = os.fork()  # here
if not child:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.close(question)
    while os.read(ask, 1):
        os.write(say, b"!")
    os._exit(0)


def app(environ, start_response):
    os.write(question, b"?")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.read(answer, 1)]
