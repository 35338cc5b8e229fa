"""What the database itself serves below /gnn, over HTTP: files of the jar, open to all, and nothing else."""

import io
import re
import zipfile
from pathlib import Path

import httpx
import pytest

# The default of five seconds is no time for a server that is busy.
WEB = httpx.Client(timeout=120)
PAGES = Path(__file__).resolve().parents[2] / "cypher" / "browser"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("", "text/html;charset=utf-8"),
        ("index.html", "text/html;charset=utf-8"),
        ("guide.html", "text/html;charset=utf-8"),
        ("train.html", "text/html;charset=utf-8"),
        ("style.grass", "text/plain;charset=utf-8"),
        ("page.css", "text/css;charset=utf-8"),
        ("queries/recommend.cypher", "text/plain;charset=utf-8"),
        ("queries.zip", "application/zip"),
    ],
)
def test_pages_come_without_signing_in_and_with_their_media_type(server, name, media_type):
    response = WEB.get(f"{server.http}/gnn/{name}")
    assert response.status_code == 200
    assert response.headers["content-type"].replace(" ", "").lower() == media_type
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.content


def test_a_style_and_a_query_arrive_as_they_are_in_the_repository(server):
    for name in ("style.grass", "queries/recommend.cypher"):
        assert WEB.get(f"{server.http}/gnn/{name}").content == (PAGES / name).read_bytes()


def test_the_guide_names_the_address_of_this_server(server):
    guide = WEB.get(f"{server.http}/gnn/guide.html").text
    stored = (PAGES / "guide.html").read_text(encoding="utf-8")
    assert guide == stored.replace("http://localhost:7474", server.http)


def test_a_forged_host_does_not_get_into_the_page(server):
    forged = WEB.get(f"{server.http}/gnn/guide.html", headers={"Host": 'x"><script>alert(1)</script>'})
    assert "<script>" not in forged.text


@pytest.mark.parametrize(
    "path",
    [
        "/gnn/missing.html",
        "/gnn/queries/",
        "/gnn/../gnn/guide.class",
        "/gnn/..%2f..%2fMETA-INF%2fMANIFEST.MF",
        "/gnn/%2e%2e/%2e%2e/META-INF/MANIFEST.MF",
        "/gnn/..%5c..%5cMETA-INF%5cMANIFEST.MF",
        "/gnn/%252e%252e/guide.html",
        "/gnn//guide.html",
        "/gnn/guide.html%00.css",
        "/gnn/io/gnn4j/web/StaticFiles.class",
    ],
)
def test_nothing_outside_the_folder_is_served(server, path):
    response = WEB.get(httpx.URL(server.http, raw_path=path.encode()))
    assert response.status_code in (400, 404)
    assert b"Manifest-Version" not in response.content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_reading_is_allowed(server, method):
    assert WEB.request(method, f"{server.http}/gnn/guide.html", content=b"x").status_code == 405


def test_the_database_still_asks_for_a_password(server):
    query = {"statement": "RETURN 1"}
    assert WEB.post(f"{server.http}/db/neo4j/query/v2", json=query).status_code == 401
    signed_in = WEB.post(f"{server.http}/db/neo4j/query/v2", json=query, auth=(server.user, server.password))
    assert signed_in.json()["data"]["values"] == [[1]]


def test_saved_queries_can_be_imported_at_once(server):
    archive = zipfile.ZipFile(io.BytesIO(WEB.get(f"{server.http}/gnn/queries.zip").content))
    names = archive.namelist()
    assert set(names) == {f"gnn4j/{path.name}" for path in (PAGES / "queries").glob("*.cypher")}
    for name in names:
        # The first line is the name under which Browser keeps it.
        assert re.match(r"// \S.{3,60}\n", archive.read(name).decode("utf-8"))
