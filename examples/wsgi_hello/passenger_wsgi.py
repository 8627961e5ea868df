"""The smallest example: one file with an `application`, as Passenger wants it."""

from html import escape

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hello from WSGI</title>
<style>
  body {{ max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
         font: 1rem/1.5 system-ui, sans-serif; }}
  table {{ border-collapse: collapse; width: 100%; }}
  th, td {{ text-align: left; vertical-align: top; padding: .25rem .5rem;
           border-bottom: 1px solid #ddd; }}
  td {{ font-family: ui-monospace, monospace; overflow-wrap: anywhere; }}
</style>
<h1>Hello!</h1>
<p>This is what the server tells the application about your request.</p>
<table>
{rows}
</table>
</html>
"""


def application(environ, start_response):
    """Show the request's environ as a table: CGI's keys and WSGI's."""
    rows = "\n".join(
        f"<tr><th>{escape(key)}</th><td>{escape(str(environ[key]))}</td></tr>"
        for key in sorted(environ)
        if key.isupper() or key.startswith("wsgi.")
    )
    body = PAGE.format(rows=rows).encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(body))),
    ]
    start_response("200 OK", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
