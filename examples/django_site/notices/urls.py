"""Addresses below the board's."""

from django.urls import path

from notices import views

urlpatterns = [
    path("", views.board, name="board"),
    path("files/", views.files, name="files"),
    path("files/<int:pk>/", views.download, name="download"),
    path("healthz", views.healthz, name="healthz"),
]
