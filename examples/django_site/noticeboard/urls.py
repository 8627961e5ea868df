"""Addresses of the notice board."""

from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    # A real site lets the server hand out static files (the key `static` of
    # passtwist.toml).  Here the site does it, so that it works anywhere.
    path("static/<path:path>", serve, {"insecure": True}),
    path("", include("notices.urls")),
]
