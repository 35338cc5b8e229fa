"""The Cypher statements of ``cypher/queries``, by name.

Values are parameters, always. Labels, types and property names cannot be parameters in every place Cypher
has for them; a file writes them as ``<name>`` in backticks, and only letters, digits and _ may take that
place. A list of properties in a map projection is ``.`<...name>` ``, filled with any number of names.
"""

import re
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gds_pipelines.errors import InvalidInput, PipelineError, UnknownName

_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,64}")
_PLACE = re.compile(r"`<(\w+)>`")
_LIST = re.compile(r"\.`<\.\.\.(\w+)>`")


def query(name: str, **identifiers: str | Sequence[str]) -> str:
    """The statement in ``<name>.cypher`` with its places filled, quoted.

    Args:
        identifiers: one for every place of the statement (a list for a place of a list), and no other.
    Raises:
        UnknownName: there is no such statement.
        InvalidInput: an identifier has other characters than letters, digits and _, is missing or too many.
    """
    text = _text(name)
    places = {*_PLACE.findall(text), *_LIST.findall(text)}
    faults = [f"'{place}' is not given" for place in sorted(places - identifiers.keys())]
    faults += [f"it has no place for '{given}'" for given in sorted(identifiers.keys() - places)]
    faults += [
        f"'{value}' cannot be a name in Cypher here; letters, digits and _ can"
        for given in identifiers.values()
        for value in ([given] if isinstance(given, str) else given)
        if not _IDENTIFIER.fullmatch(value)
    ]
    if faults:
        raise InvalidInput(f"The statement {name} cannot be made", faults)
    text = _LIST.sub(lambda found: ", ".join(f".`{one}`" for one in identifiers[found[1]]), text)
    return _PLACE.sub(lambda found: f"`{identifiers[found[1]]}`", text)


@cache
def _text(name: str) -> str:
    home = _home()
    known = [file.stem for file in home.glob("*.cypher")]
    if name not in known:
        raise UnknownName("statement", name, known)
    lines = (home / f"{name}.cypher").read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))


def _home() -> Path:
    clone = Path(__file__).resolve().parents[1] / "cypher" / "queries"
    installed = Path(sysconfig.get_path("data")) / "share" / "gnn4j" / "queries"
    for home in (clone, installed):
        if home.is_dir():
            return home
    raise PipelineError(
        f"The Cypher statements are in neither '{clone}' nor '{installed}'. Install gnn4j again."
    )
