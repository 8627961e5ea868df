"""One view that says who answers."""

import json
import os

from django.http import HttpResponse
from django.urls import path

LOADED_BY = os.getpid()


def index(request):
    return HttpResponse(
        json.dumps({"pid": os.getpid(), "parent": os.getppid(), "loaded_by": LOADED_BY})
    )


urlpatterns = [path("", index)]
