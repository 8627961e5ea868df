"""Django in its processes.

Runs in: framework spawners, app spawners and workers.  Standard library only;
Django is imported inside the functions, from the app's own interpreter.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any, Callable, List

# What most sites load of Django, and what can be loaded without settings (tried
# with 5.2; where another version can't, that module is left to the app).
# Not here: what defines models, and the backends of databases with their drivers.
PRELOADED = [
    "django." + name
    for name in """
contrib.admin contrib.admin.options contrib.admin.sites contrib.admin.views.main
contrib.auth.hashers contrib.auth.password_validation contrib.messages.middleware
contrib.messages.storage.fallback contrib.sessions.middleware
contrib.staticfiles.finders contrib.staticfiles.storage core.cache
core.cache.backends.locmem core.checks core.handlers.wsgi core.mail core.paginator
core.serializers.json core.signing core.wsgi db db.backends.base.base db.models
db.models.functions db.models.sql.compiler forms forms.formsets forms.models
http.multipartparser middleware.cache middleware.clickjacking middleware.common
middleware.csrf middleware.gzip middleware.http middleware.locale middleware.security
shortcuts template.backends.django template.context_processors template.engine
template.loader template.loader_tags template.loaders.app_directories
template.loaders.cached template.loaders.filesystem template.response templatetags.i18n
templatetags.l10n templatetags.static templatetags.tz urls.conf utils.formats
utils.translation.trans_real views.csrf views.debug views.defaults views.generic
views.static
""".split()
]

# Of Django's own, such as looks at a request without a session and at its
# response, and changes nothing outside of them.
MIDDLEWARE = [
    "django." + name
    for name in """
middleware.security.SecurityMiddleware middleware.locale.LocaleMiddleware
contrib.sessions.middleware.SessionMiddleware middleware.common.CommonMiddleware
middleware.csrf.CsrfViewMiddleware contrib.messages.middleware.MessageMiddleware
contrib.auth.middleware.AuthenticationMiddleware
middleware.clickjacking.XFrameOptionsMiddleware
""".split()
]
ADMIN_TEMPLATES = ("login", "base_site", "base", "color_theme_toggle")

# From 3.11 on, code is changed while it runs for about so many times (measured).
REQUESTS = 10 if sys.version_info >= (3, 11) else 2


def preload(app: Any) -> None:
    """Import Django, and nothing that looks at settings.

    :raises ImportError: there is no Django in this interpreter.
    """
    importlib.import_module("django")
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - said when the app itself imports it
            continue
    if _module("conf").settings.configured:
        raise RuntimeError("importing Django has loaded settings")


def load(app: Any) -> Any:
    """The project's WSGI application; making it sets Django up."""
    return app.load_entry()


def warm(app: Any, application: Any) -> None:
    """Do what Django would do at the first request, as far as nobody sees it.

    URLs with all views, database backends (imported, not connected), template
    engines with their libraries, models' caches, translations; then a page, a form
    and requests of Django's own, which no code of the project sees.
    """
    if not _module("apps").apps.ready:
        return  # an entry that is Django's by name only
    urls = _module("urls")
    before = urls.get_script_prefix()
    environ = {"SCRIPT_NAME": app.base_uri.rstrip("/"), "PATH_INFO": "/"}
    name = _module("core.handlers.wsgi").get_script_name(environ)
    # Where static files are is kept for good as it is when first asked for.
    urls.set_script_prefix(name)
    try:
        for step in STEPS:
            step()
        for luxury in LUXURIES:
            try:
                luxury()
            except Exception:  # noqa: BLE001 - said to the request that wants it
                continue
    finally:
        urls.set_script_prefix(before)


# The spawner's connections to databases, closed; for `after_fork`.
_closed: List[Any] = []


def before_fork(app: Any) -> None:
    """Close what loading and warming may have opened."""
    if _module("conf").settings.configured:  # else Django's by name only
        _close_connections()
        databases = _module("db").connections
        _closed[:] = [databases[alias] for alias in databases]


def after_fork(app: Any, worker: Any) -> None:
    """Connections of the spawner are not this worker's.

    It has none, nearly always; who looks through all that Django knows of it
    copies 400 KiB of memory for each worker.
    """
    if any(one.connection is not None for one in _closed):
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
            page.render({"word": "", "list": ["1", 2.5]})


def _use_form() -> None:
    forms = _module("forms")
    kinds = ("Char", "Integer", "Boolean", "Email", "DateTime", "Choice")
    fields = {kind: getattr(forms, kind + "Field")() for kind in kinds}
    form = type("Form", (forms.Form,), fields)
    str(form())
    str(form().media)
    str(form({"Char": "<b>", "Integer": "x", "Email": "@"}).errors)


def _use_requests() -> None:
    """Requests and responses as every view has them."""
    _answer(_plain_page)


def _use_admin() -> None:
    """The admin's login page, the one that everybody sees."""
    if not _module("apps").apps.is_installed("django.contrib.admin"):
        return
    _module("contrib.admin.forms")
    for name in ADMIN_TEMPLATES[:2]:
        _module("template.loader").get_template("admin/%s.html" % name)
    site = _module("contrib.admin.sites").site
    if _is_plain(site):
        _answer(site.login)


def _answer(page: Callable[[Any], Any]) -> None:
    """Send requests through Django's own middleware to *page*.

    So often that the interpreter has adapted the code to what it sees: it does
    so by writing into the code.
    """
    settings = _module("conf").settings
    ours = _are_django_s(settings.SESSION_ENGINE, settings.MESSAGE_STORAGE)
    if settings.CSRF_USE_SESSIONS or not ours:
        return  # a session would be stored, or who knows what
    databases = _module("db").connections
    opened = [databases[alias] for alias in databases]
    try:
        for one in opened:
            one.ensure_connection = _refuse
        handler = _own_handler(page)
        for _ in range(REQUESTS):
            _answer_once(handler)
    finally:
        for one in opened:
            del one.ensure_connection
        # A middleware may have chosen one for this thread.
        _module("utils.translation").deactivate()


def _refuse() -> None:
    raise RuntimeError("a warm-up opens no database")


def _own_handler(page: Callable[[Any], Any]) -> Any:
    """A handler with such middleware as is Django's own and has no effects.

    Nothing is around it: what logs, mails of errors, and tells signals.
    """
    handler = object.__new__(_module("core.handlers.wsgi").WSGIHandler)
    handler._view_middleware = []
    handler._template_response_middleware = []
    handler._exception_middleware = []
    urls = _module("urls.resolvers")
    patterns = [urls.URLPattern(urls.RegexPattern("^$"), page)]
    resolver = urls.URLResolver(urls.RegexPattern("^/"), patterns)
    handler.resolve_request = lambda request: resolver.resolve("/")
    handler.make_view_atomic = lambda view: view
    chain = handler._get_response
    for path in reversed(_module("conf").settings.MIDDLEWARE):
        if path in MIDDLEWARE:
            chain = _module("utils.module_loading").import_string(path)(chain)
            if hasattr(chain, "process_view"):
                handler._view_middleware.insert(0, chain.process_view)
    handler._middleware_chain = chain
    return handler


def _answer_once(handler: Any) -> None:
    """Closing the response would tell the project's signals."""
    request = _module("core.handlers.wsgi").WSGIRequest(_environ())
    response = handler._middleware_chain(request)
    cookies = [cookie.output(header="") for cookie in response.cookies.values()]
    _ = (b"".join(response), list(response.items()), cookies)


def _environ() -> Any:
    settings = _module("conf").settings
    names = [name.lstrip(".") for name in settings.ALLOWED_HOSTS if "*" not in name]
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "QUERY_STRING": "a=b",
        "HTTP_HOST": (names or ["localhost"])[0],
        "HTTP_ACCEPT_LANGUAGE": settings.LANGUAGE_CODE,
        "HTTP_COOKIE": "a=b",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",  # else some sites answer "come by TLS"
        "wsgi.input": io.BytesIO(),
    }
    return dict([settings.SECURE_PROXY_SSL_HEADER or ("HTTPS", "on")], **environ)


def _plain_page(request: Any) -> Any:
    _ = (request.GET, request.COOKIES, request.headers.get("Host"))
    request.build_absolute_uri()
    _module("middleware.csrf").get_token(request)
    (response := _module("http").HttpResponse("a")).set_cookie("a", "b", max_age=1)
    _module("utils.cache").add_never_cache_headers(response)
    return response


def _is_plain(site: Any) -> bool:
    """The login page is made by Django's code and templates alone."""
    settings = _module("conf").settings
    storages = getattr(settings, "STORAGES", {})  # since 4.2; the other until 5.0
    storage = storages.get("staticfiles", {}).get("BACKEND")
    backends = _module("template").engines.all()
    engines = [getattr(one, "engine", None) for one in backends]
    makers = [
        site.__class__,
        *(type(admin).has_module_permission for admin in site._registry.values()),
        *(one for each in engines if each for one in each.template_context_processors),
    ]
    return (
        _are_django_s(
            settings.FORM_RENDERER,
            storage or settings.STATICFILES_STORAGE,
            *settings.AUTHENTICATION_BACKENDS,
            *(maker.__module__ for maker in makers),
        )
        and not (site.login_form or site.login_template)
        and all(map(_is_template_of_django, ADMIN_TEMPLATES))
    )


def _are_django_s(*names: str) -> bool:
    return all(name.startswith("django.") for name in names)


def _is_template_of_django(name: str) -> bool:
    try:
        found = _module("template.loader").get_template("admin/%s.html" % name)
    except _module("template").TemplateDoesNotExist:
        return True  # another version has it
    (folder,) = importlib.import_module("django").__path__
    return str(found.origin.name).startswith(os.path.join(folder, ""))


STEPS = [_warm_urls, _warm_databases, _warm_templates, _warm_models, _warm_translations]
LUXURIES = [_use_names, _use_formats, _use_page, _use_form, _use_requests, _use_admin]


def _close_connections() -> None:
    """Close those to databases and caches, so that the next use makes new ones."""
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
