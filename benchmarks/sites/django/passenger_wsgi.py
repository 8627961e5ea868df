"""Where all servers find the Django site."""

from noticeboard.wsgi import application

__all__ = ["application"]
