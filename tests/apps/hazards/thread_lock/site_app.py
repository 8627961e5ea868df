"""(a) A thread holds a lock that the view needs: a forked view waits for ever."""

import threading

lock = threading.Lock()


def work():
    while True:
        with lock:
            threading.Event().wait(60)


thread = threading.Thread(target=work, name="holder", daemon=True)
thread.start()  # here


def app(environ, start_response):
    with lock:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"locked"]
