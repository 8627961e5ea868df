"""Django in its processes.

Runs in: framework spawners, app spawners and workers.  Standard library only;
Django is imported inside the functions, from the app's own interpreter.
"""

from __future__ import annotations

import importlib
import io
from typing import Any, List

# What most sites load, and what can be loaded without settings (tried with
# Django 5.2; where another version can't, that module is left to the app).
# Not here: anything that defines models, and the backends of databases, which
# import drivers that the app may not have.
PRELOADED = (
    "django.contrib.admin",
    "django.contrib.admin.options",
    "django.contrib.admin.sites",
    "django.contrib.admin.views.main",
    "django.contrib.auth.hashers",
    "django.contrib.auth.password_validation",
    "django.contrib.messages.middleware",
    "django.contrib.messages.storage.fallback",
    "django.contrib.sessions.middleware",
    "django.contrib.staticfiles.finders",
    "django.contrib.staticfiles.storage",
    "django.core.cache",
    "django.core.cache.backends.locmem",
    "django.core.checks",
    "django.core.handlers.wsgi",
    "django.core.mail",
    "django.core.paginator",
    "django.core.serializers.json",
    "django.core.signing",
    "django.core.wsgi",
    "django.db",
    "django.db.backends.base.base",
    "django.db.models",
    "django.db.models.functions",
    "django.db.models.sql.compiler",
    "django.forms",
    "django.forms.formsets",
    "django.forms.models",
    "django.http.multipartparser",
    "django.middleware.cache",
    "django.middleware.clickjacking",
    "django.middleware.common",
    "django.middleware.csrf",
    "django.middleware.gzip",
    "django.middleware.http",
    "django.middleware.locale",
    "django.middleware.security",
    "django.shortcuts",
    "django.template.backends.django",
    "django.template.context_processors",
    "django.template.engine",
    "django.template.loader",
    "django.template.loader_tags",
    "django.template.loaders.app_directories",
    "django.template.loaders.cached",
    "django.template.loaders.filesystem",
    "django.template.response",
    "django.templatetags.i18n",
    "django.templatetags.l10n",
    "django.templatetags.static",
    "django.templatetags.tz",
    "django.urls.conf",
    "django.utils.formats",
    "django.utils.translation.trans_real",
    "django.views.csrf",
    "django.views.debug",
    "django.views.defaults",
    "django.views.generic",
    "django.views.static",
)


def preload(app: Any) -> None:
    """Import Django, and nothing that looks at settings.

    :raises ImportError: there is no Django in this interpreter.
    """
    importlib.import_module("django")
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - left out
            # What it lacks is said when the app itself imports it.
            continue
    if _module("conf").settings.configured:
        raise RuntimeError("importing Django has loaded settings")


def load(app: Any) -> Any:
    """The project's WSGI application; making it sets Django up."""
    return app.load_entry()


def warm(app: Any, application: Any) -> None:
    """Do what Django would do at the first request, as far as nobody sees it.

    URL configuration with all its views, database backends (imported, not
    connected), template engines with their libraries, models' caches,
    translations; then a page, a form, a request and a response of Django's
    own, which no code of the project sees.  Middleware is loaded with the
    application.
    """
    if not _module("apps").apps.ready:
        return  # an entry that is Django's by name only
    for step in (_warm_urls, _warm_databases, _warm_templates, _warm_models):
        step()
    _warm_translations()
    for luxury in LUXURIES:
        try:
            luxury()
        except Exception:  # noqa: BLE001 - left out
            # What is wrong is said to the request that wants it, if any does.
            continue


def before_fork(app: Any) -> None:
    """Close what loading and warming may have opened."""
    _close_connections()


def after_fork(app: Any, worker: Any) -> None:
    """Connections of the spawner are not this worker's."""
    _close_connections()


def _module(name: str) -> Any:
    """A module of Django, which has no types and may be missing here."""
    return importlib.import_module("django." + name)


def _warm_urls() -> None:
    resolver = _module("urls").get_resolver()
    # Asking for either builds the tables of all included configurations.
    resolver.reverse_dict  # noqa: B018 - built when looked at
    resolver.namespace_dict  # noqa: B018 - the same
    for code in (400, 403, 404, 500):
        resolver.resolve_error_handler(code)


def _warm_databases() -> None:
    connections = _module("db").connections
    for alias in connections:
        connections[alias].ops.compiler("SQLCompiler")


def _warm_templates() -> None:
    for backend in _module("template").engines.all():
        engine = getattr(backend, "engine", None)
        if engine is not None:
            engine.template_context_processors  # noqa: B018 - imported when looked at
            engine.template_loaders  # noqa: B018 - the same


def _warm_models() -> None:
    for model in _module("apps").apps.get_models(include_auto_created=True):
        model._meta.get_fields()


def _warm_translations() -> None:
    settings = _module("conf").settings
    translation = _module("utils.translation")
    if not settings.USE_I18N:
        return
    codes = {settings.LANGUAGE_CODE}
    # Django's own list has a hundred; a project's is what it speaks.
    if settings.is_overridden("LANGUAGES"):
        codes.update(code for code, _ in settings.LANGUAGES)
    for code in codes:
        with translation.override(code):
            translation.gettext("")


# The rest is what each worker would do once, for itself, at its first request:
# that touches far more memory than all later requests do.


def _use_names() -> None:
    """Reverse a URL in each namespace, and import what settings name."""
    _reverse_in(_module("urls").get_resolver(), "")
    import_string = _module("utils.module_loading").import_string
    settings = _module("conf").settings
    for name in (settings.SESSION_SERIALIZER, *settings.AUTHENTICATION_BACKENDS):
        import_string(name)


def _reverse_in(resolver: Any, prefix: str) -> None:
    urls = _module("urls")
    for name, (_, inner) in tuple(resolver.namespace_dict.items()):
        namespace = prefix + name + ":"
        try:
            # There is none, but to know that Django builds the tables.
            urls.reverse(namespace + "passtwist warm-up")
        except urls.NoReverseMatch:
            pass
        _reverse_in(inner, namespace)


def _use_formats() -> None:
    formats = _module("utils.formats")
    for name in formats.FORMAT_SETTINGS:
        formats.get_format(name)
    formats.localize(1234.5)
    _module("utils.timezone").get_current_timezone()


def _use_page() -> None:
    """Compile and render a page; without a request, no context processor runs."""
    source = (
        "{# #}{% comment %}{% endcomment %}{% with a=word|default:'-' %}{{ a }}"
        "{% if a and word %}{{ a|length }}{% else %}{% for b in list %}{{ b }}"
        "{% endfor %}{% endif %}{% endwith %}{% block c %}{% endblock %}"
    )
    for backend in _module("template").engines.all():
        if hasattr(backend, "engine"):
            page = backend.from_string(source)
            page.render({"word": "<b>", "list": ["1", 2.5]})
            page.render({"list": ["1", 2.5]})


def _use_form() -> None:
    forms = _module("forms")
    kinds = ("Char", "Integer", "Boolean", "Email", "DateTime", "Choice")
    fields = {kind: getattr(forms, kind + "Field")() for kind in kinds}
    form = type("Form", (forms.Form,), fields)
    str(form())
    str(form().media)
    str(form({"Char": "<b>", "Integer": "x", "Email": "@"}).errors)


def _use_request() -> None:
    """A request and its response; closing that would tell the project's signals."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "QUERY_STRING": "a=b",
        "HTTP_HOST": "localhost",
        "HTTP_COOKIE": "a=b",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    request = _module("core.handlers.wsgi").WSGIRequest(environ)
    _ = (request.GET, request.COOKIES, request.headers.get("Host"))
    request.build_absolute_uri(location="http://localhost/")
    _module("middleware.csrf").get_token(request)
    response = _module("http").HttpResponse("a")
    response.set_cookie("a", "b", max_age=1)
    response.headers["Vary"] = "Cookie"
    _module("utils.cache").add_never_cache_headers(response)
    _ = (b"".join(response), str(response.headers), response.cookies.output())


def _use_admin() -> None:
    """The frame of all of the admin's pages, and the one that everybody sees."""
    if not _module("apps").apps.is_installed("django.contrib.admin"):
        return
    _module("contrib.admin.forms")
    for name in ("admin/base_site.html", "admin/login.html"):
        _module("template.loader").get_template(name)


LUXURIES = (
    _use_names,
    _use_formats,
    _use_page,
    _use_form,
    _use_request,
    _use_admin,
)


def _close_connections() -> None:
    """Close those to databases and caches, so that the next use makes new ones."""
    if not _module("conf").settings.configured:
        return  # an entry that is Django's by name only
    _module("db").connections.close_all()
    caches = _module("core.cache").caches
    for cache in _opened(caches):
        cache.close()
        # Closing a cache means "the request is over": Django's own for Redis
        # keeps its connections then.
        for pool in getattr(getattr(cache, "_cache", None), "_pools", {}).values():
            pool.disconnect()
    for alias in _aliases(caches):
        # Others may do the same: they are made anew when they are used.
        delattr(caches._connections, alias)


def _opened(caches: Any) -> List[Any]:
    """The caches that have been used; asking for others would make them."""
    if not hasattr(caches, "_connections"):
        return list(caches.all())  # Django before 3.2
    return [getattr(caches._connections, alias) for alias in _aliases(caches)]


def _aliases(caches: Any) -> List[str]:
    used = getattr(caches, "_connections", None)
    return [] if used is None else [each for each in caches if hasattr(used, each)]
