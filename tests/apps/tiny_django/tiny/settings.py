"""The least that Django needs."""

SECRET_KEY = "for-tests-only"
ROOT_URLCONF = "tiny.urls"
ALLOWED_HOSTS = ["*"]
WSGI_APPLICATION = "tiny.wsgi.application"
USE_TZ = True
