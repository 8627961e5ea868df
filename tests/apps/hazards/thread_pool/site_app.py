"""(f) An executor that has worked: in a fork it takes work and does none."""

from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2, "pool")
warm = pool.submit(sum, [1, 2]).result()  # here


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % pool.submit(sum, [1, 2]).result()]
