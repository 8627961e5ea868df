"""Settings of the notice board: small, but with nothing switched off that matters."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

# All that the site writes is in one folder, so that one folder is all that the
# site's user must be able to write.
DATA_DIR = Path(os.environ.get("DJANGO_SITE_DATA", BASE_DIR / "data"))

# Good enough to try things out on one's own machine, and for nothing else.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "demo-only-" + "not-secret-" * 5)

DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "notices",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "noticeboard.urls"
WSGI_APPLICATION = "noticeboard.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "db.sqlite3",
        # Several workers write to the one file: wait for each other, and take
        # the lock at the start of a transaction rather than fail in the midst.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Relative, so that Django puts SCRIPT_NAME before it: the site works at / and
# below /django alike.
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
MEDIA_ROOT = DATA_DIR / "media"

# Other sites live on the same host below other paths; each has its own session.
SESSION_COOKIE_NAME = "noticeboard_session"
CSRF_COOKIE_NAME = "noticeboard_csrf"

TIME_ZONE = "UTC"
USE_TZ = True
