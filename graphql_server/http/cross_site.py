"""Protection of browsers' users: CORS, security headers, CSRF (cross-site request forgery), DNS rebinding.

`with_browser_rules` and `at_hosts` wrap the whole service; `refuse_cross_site` is the CSRF check of the endpoints.
"""

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphql_server.http.problem_details import problem
from graphql_server.refusals import HttpRefusal

# An answer's own header counts where it has one, as the GraphiQL page does.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
# A page of another site cannot set them without a preflight (Fetch, "CORS-preflight fetch"), whatever their values.
PREFLIGHT_HEADERS = ("apollo-require-preflight", "x-apollo-operation-name", "graphql-require-preflight")
SIMPLE_BODIES = ("", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", "If-None-Match", "X-Request-Id"),
    *("Apollo-Require-Preflight", "X-Apollo-Operation-Name"),
    *("GraphQL-Require-Preflight", "Apollographql-Client-Name", "Apollographql-Client-Version"),
)
EXPOSED_HEADERS = ("ETag", "X-Request-Id", "Retry-After", "WWW-Authenticate")
PREFLIGHT_SECONDS = 600


def with_browser_rules(app: ASGIApp, *, origins: Collection[str], headers: Sequence[str] = ()) -> ASGIApp:
    """The service with security headers, readable by pages of these origins only, without cookies.

    `headers`: further ones that these pages may send.
    """
    if not origins:
        return _with_headers(app)
    cors = CORSMiddleware(
        app,
        allow_origins=sorted(origins),
        allow_methods=["GET", "POST"],
        allow_headers=[*ALLOWED_HEADERS, *headers],
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_SECONDS,
    )
    return _with_headers(cors, varies=True)


def at_hosts(app: ASGIApp, names: Collection[str], message: str) -> ASGIApp:
    """The service for requests whose `Host` has one of these names; others are answered 421 with this message.

    A page of another site can have its own name resolve to this machine (DNS rebinding); its requests are then of the
    same origin to the browser.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _host_name(Headers(scope=scope).get("host", "")) not in names:
            await problem(421, "BAD_REQUEST", message)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return handle


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _with_headers(app: ASGIApp, *, varies: bool = False) -> ASGIApp:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message["headers"])
                said = {name for name, _ in own}
                message["headers"] = own + [header for header in RAW_HEADERS if header[0] not in said]
                if varies:
                    MutableHeaders(scope=message).add_vary_header("Origin")
            await send(message)

        await app(scope, receive, send_with_headers if scope["type"] == "http" else send)

    return handle


def refuse_cross_site(request: Request, origins: Collection[str], *, setting: str) -> None:
    """Raise HttpRefusal (403) for what a page of another site can send without a preflight: links, forms, images.

    Browsers say which site a request comes from. Programs do not, and are let through. `origins`: of pages that may
    send anything. `setting`: its name, for the message.
    """
    headers = request.headers
    if headers.get("origin") in origins or not _is_of_another_site(headers):
        return
    if any(name in headers for name in PREFLIGHT_HEADERS) or _kind(headers) not in SIMPLE_BODIES:
        return
    message = (
        "Cross-site request refused. Send Content-Type: application/json or the header Apollo-Require-Preflight, and "
        f"have the page's origin added to {setting}."
    )
    raise HttpRefusal(403, message, code="CROSS_SITE_REFUSED")


def _is_of_another_site(headers: Headers) -> bool:
    """Whether a page of another site sent the request: by Sec-Fetch-Site, in older browsers by Origin."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and _host(origin) != headers.get("host", "").lower()


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
