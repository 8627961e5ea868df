"""Addresses of the notice board."""

from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    # The server sends static files, and nobody comes here (see the key `static` in
    # ../../passtwist.toml).  Without that file the site does it, so that it works
    # anywhere.
    path("static/<path:path>", serve, {"insecure": True}),
    path("", include("notices.urls")),
]
