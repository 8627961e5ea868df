"""The example's addresses, kept as example_urls, and those of the benchmarks.

Laid over a copy of the example site.
"""

import os
import time

from django.contrib import admin
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from noticeboard.example_urls import urlpatterns as of_the_example
from notices.models import Notice


def hello(request):
    """No template and no database, but all of the middleware."""
    return HttpResponse("hello world\n", content_type="text/plain")


def rows(request):
    """The example's own page of notices, but for the count of visits.

    That writes to the session, so that workers would wait for SQLite's lock
    and not for the server.
    """
    context = {"notices": Notice.objects.all()[:20], "visits": 1}
    return render(request, "notices/board.html", context)


def login(request):
    """The admin's login page: forms, templates, translations; no row is read.

    It says which worker made it, so that a load can be seen to reach them all.
    """
    response = admin.site.login(request)
    response["X-Worker"] = os.getpid()
    return response


def pid(request):
    return HttpResponse(f"{os.getpid()}\n", content_type="text/plain")


def sleep(request):
    time.sleep(int(request.META["QUERY_STRING"]) / 1000)
    return pid(request)


urlpatterns = [
    path("hello", hello),
    path("rows", rows),
    path("login", login),
    path("pid", pid),
    path("sleep", sleep),
    *of_the_example,
]
