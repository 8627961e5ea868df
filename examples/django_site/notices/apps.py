"""How Django knows this app."""

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    """The notices app."""

    name = "notices"
    verbose_name = "Notice board"
