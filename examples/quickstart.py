"""A page, the process that serves it, and proof that it does.

purvey apply examples/quickstart.py
"""

from __future__ import annotations

from purvey import Options, stack
from purvey.resources import files, http, process


@stack
def hello(env: str, name: str = "world", port: int = 18080) -> dict[str, str]:
    """Greets whoever asks."""
    folder = files.Directory("site", path=f".hello-{env}")
    page = files.File("page", path=f"{folder.path}/index.html", content=f"<h1>Hello, {name}!</h1>\n")
    web = process.Service(
        "web",
        command=["python", "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder.path, str(port)],
        port=port,
    )
    http.Check("web", url=f"http://{web.address}/", contains=f"Hello, {name}", opts=Options(after=[page]))
    return {"url": f"http://{web.address}/", "page": page.path}
