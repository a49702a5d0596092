"""Who may talk to the page: a browser on this machine that knows the address, and no other page in it."""

import secrets
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def new_token() -> str:
    """Return a token for an address, which cannot be guessed."""
    return secrets.token_urlsafe(24)


class Guard:
    """Passes on requests under `/token/` that are meant for one of `hosts`, with the token taken off their path.

    Others get 403: a wrong Host is another name that leads here (DNS rebinding), a foreign Origin another page.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str]) -> None:
        self._app, self._token, self._hosts = app, token, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        reason = "no web sockets here" if scope["type"] != "http" else self._refused(scope)
        if reason is not None:
            if scope["type"] == "http":
                await PlainTextResponse(f"{reason}\n", 403, headers=HEADERS)(scope, receive, send)
            return
        path = scope["path"][len(self._token) + 1 :]
        inner = dict(scope, path=path, raw_path=path.encode())

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                names = {name.lower() for name, _ in given}
                more = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items() if k.lower().encode() not in names]
                message = dict(message, headers=[*given, *more])
            await send(message)

        await self._app(inner, receive, marked)

    def _refused(self, scope: Scope) -> str | None:
        """Return why a request is refused, None if it is not."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        hosts = [value.decode("latin-1").lower() for value in headers.get(b"host", [])]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return "not for this host"
        origin = headers.get(b"origin", [b""])[0].decode("latin-1").lower()
        if origin and (urlsplit(origin).scheme != "http" or urlsplit(origin).netloc not in self._hosts):
            return "not from this page"
        given, _, rest = scope["path"].removeprefix("/").partition("/")
        if not secrets.compare_digest(given.encode(), self._token.encode()) or not scope["path"].startswith("/"):
            return "open the address that vsr web has shown: it holds a token"
        return None if rest or scope["path"].endswith("/") else "the address ends with a slash"
