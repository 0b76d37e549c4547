"""REFI-QDA, the exchange format of programs for qualitative analysis: .qdpx, .qdc and .qde.

https://www.qdasoftware.org: a project is a zip archive with an XML file, a codebook that XML alone.
"""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pdsim.errors import InputError, Problem
from pdsim.interviews.codings import CASE, MAX_PROJECT, SET, CodedProject, file_bytes, project

MAX_MEMBERS: Final = 100_000
MAX_RATIO: Final = 500
"""How many times larger than packed the XML may be: text packs to a tenth, bombs far below."""

_NAMESPACES: Final = ("urn:QDA-XML:project:", "urn:QDA-XML:codebook:")


def read_refi(path: str | Path) -> CodedProject:
    """Read codes, cases, attributes, coders and codings of a REFI-QDA project or codebook.

    Parameters
    ----------
    path : str or Path
        ``.qdpx``, ``.qdc`` or ``.qde``.

    Raises
    ------
    InputError
        If the file is none, is broken, unpacks to too much, has paths that lead out of it, or
        declares entities.

    Examples
    --------
    >>> read_refi("none.qdpx")
    Traceback (most recent call last):
        ...
    pdsim.errors.InputError: none.qdpx: cannot be read (No such file or directory); check the path.
    """
    path = Path(path)
    content = file_bytes(path)
    if content.startswith(b"PK"):
        content = _unpacked(content, path.name)
    root = _parsed(content, path.name)
    space, _, tag = root.tag.rpartition("}")
    if tag not in ("Project", "CodeBook") or not space.lstrip("{").startswith(_NAMESPACES):
        raise _broken(path.name, "is XML, but no REFI-QDA project or codebook")
    return _project(root, path.name)


def _broken(file: str, rule: str) -> InputError:
    cure = "export it again as a REFI-QDA project (.qdpx)"
    return InputError(Problem(file=file, rule=rule, cure=cure))


def _unpacked(content: bytes, file: str) -> bytes:
    """Return the XML of a project; nothing is ever unpacked to disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise _broken(file, f"holds {len(members):,} files")
            for member in members:
                parts = PurePosixPath(member.filename.replace("\\", "/")).parts
                if ".." in parts or (parts and (parts[0] == "/" or ":" in parts[0])):
                    raise _broken(file, f"holds the path {member.filename!r:.60}, which leads out")
            found = [m for m in members if m.filename.lower() == "project.qde"]
            if len(found) != 1:
                raise _broken(file, f"holds {len(found)} files project.qde; a project has one")
            size, packed = found[0].file_size, max(found[0].compress_size, 1)
            if size > MAX_PROJECT or size > MAX_RATIO * packed:
                raise _broken(file, f"unpacks from {packed:,} to {size:,} bytes, too much for one")
            with archive.open(found[0]) as stream:
                # one byte more than it says it has would be a lie
                xml = stream.read(size + 1)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        raise _broken(file, f"is no zip archive that can be read ({error})") from None
    if len(xml) > size:
        raise _broken(file, "unpacks to more than it says")
    return xml


def _parsed(xml: bytes, file: str) -> Any:
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(xml, forbid_dtd=True)
    except DefusedXmlException:
        raise _broken(file, "declares entities or a document type, which no project does") from None
    except (ParseError, ValueError, LookupError) as error:
        raise _broken(file, f"is not well-formed XML ({error})") from None


def _children(element: Any, *names: str) -> Iterator[Any]:
    """Yield the children with a tag, whatever the version of the namespace."""
    for child in element:
        if isinstance(child.tag, str) and child.tag.rpartition("}")[2] in names:
            yield child


def _within(element: Any, name: str) -> Iterator[Any]:
    for found in element.iter():
        if isinstance(found.tag, str) and found.tag.rpartition("}")[2] == name:
            yield found


def _project(root: Any, file: str) -> CodedProject:
    names: dict[str, str] = {}
    codes: list[tuple[str, tuple[str, ...]]] = []
    waiting: list[tuple[Any, tuple[str, ...]]] = [
        (code, ()) for group in _within(root, "Codes") for code in _children(group, "Code")
    ]
    while waiting:
        code, path = waiting.pop(0)
        name = code.get("name", "")
        names[code.get("guid", "").upper()] = name
        codes.append((name, path))
        waiting += [(child, (*path, name)) for child in _children(code, "Code")]
    users = {u.get("guid", "").upper(): u.get("name", "") for u in _within(root, "User")}
    documents: dict[str, str] = {}
    codings: list[tuple[str, str, str]] = []
    attributes: list[tuple[str, str, str]] = []
    variables = {v.get("guid", "").upper(): v.get("name", "") for v in _within(root, "Variable")}
    sources = [s for group in _children(root, "Sources") for s in group]
    for source in sources:
        name = source.get("name", "")
        documents[source.get("guid", "").upper()] = name
        attributes += [(name, key, text) for key, text in _values(source, variables)]
        for coding in _within(source, "Coding"):
            coder = users.get(coding.get("creatingUser", "").upper(), "")
            codings += [(name, code, coder) for code in _targets(coding, "CodeRef", names, file)]
    for case in _within(root, "Case"):
        values = [(CASE, case.get("name", "")), *_values(case, variables)]
        for document in _targets(case, "SourceRef", documents, file):
            attributes += [(document, key, text) for key, text in values]
    for group in _within(root, "Set"):
        inside = _targets(group, "MemberSource", documents, file)
        attributes += [(document, SET, group.get("name", "")) for document in inside]
    return project(file, list(documents.values()), codes, codings, attributes)


def _targets(element: Any, tag: str, names: dict[str, str], file: str) -> list[str]:
    """Return the names that references point to."""
    found = []
    for reference in _children(element, tag):
        target = reference.get("targetGUID", "").upper()
        if target not in names:
            raise _broken(file, f"refers to {target!r:.50}, which it does not hold")
        found.append(names[target])
    return found


def _values(element: Any, variables: dict[str, str]) -> list[tuple[str, str]]:
    """Return the attributes of a source or a case."""
    found = []
    for value in _children(element, "VariableValue"):
        key, text = "", ""
        for child in value:
            if not isinstance(child.tag, str):
                continue
            if child.tag.endswith("}VariableRef"):
                key = variables.get(child.get("targetGUID", "").upper(), "")
            else:
                text = (child.text or "").strip()
        if key and text:
            found.append((key, text))
    return found
