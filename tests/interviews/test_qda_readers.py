"""Projects of programs for qualitative analysis: real ones, small ones, hostile ones."""

import io
import sqlite3
import zipfile

import pandas as pd
import pytest

from pdsim.errors import InputError
from pdsim.interviews import (
    ThemeMapping,
    mapped_themes,
    read_code_matrix,
    read_project,
    read_qualcoder,
    read_refi,
    read_taguette,
    read_themes,
    theme_shares,
    theme_table,
)

QDE = """<?xml version="1.0" encoding="utf-8"?>
<Project xmlns="{space}" name="x">
 <Users><User guid="u1" name="Ann"/><User guid="u2" name="Bo"/></Users>
 <CodeBook><Codes>
  <Code guid="c1" name="Leadership" isCodable="true">
   <Code guid="c2" name="present" isCodable="true"/>
  </Code>
  <Code guid="c3" name="trust" isCodable="true"/>
 </Codes></CodeBook>
 <Variables><Variable guid="v1" name="Hospital" typeOfVariable="Text"/></Variables>
 <Cases><Case guid="k1" name="nurse 1">
  <VariableValue><VariableRef targetGUID="v1"/><TextValue>North</TextValue></VariableValue>
  <SourceRef targetGUID="s1"/></Case></Cases>
 <Sources>
  <TextSource guid="s1" name="i1">
   <PlainTextSelection guid="p1"><Coding guid="g1" creatingUser="u1"><CodeRef targetGUID="c2"/>
   </Coding></PlainTextSelection>
   <PlainTextSelection guid="p2"><Coding guid="g2" creatingUser="u2"><CodeRef targetGUID="c3"/>
   </Coding></PlainTextSelection>
  </TextSource>
  <TextSource guid="s2" name="i2"/>
 </Sources>
 <Sets><Set guid="t1" name="round 1"><MemberSource targetGUID="s1"/></Set></Sets>
</Project>
"""


def packed(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def qdpx(tmp_path, content=None, **members):
    path = tmp_path / "project.qdpx"
    text = QDE.format(space="urn:QDA-XML:project:1.0") if content is None else content
    path.write_bytes(packed({"project.qde": text, **members}))
    return path


def test_atlas_ti_project(shared_data):
    found = read_refi(shared_data / "qda" / "project.qdpx")
    assert found.codings["times"].sum() == 16
    assert len(found.codes) == 14
    sets = found.attributes.query("attribute == 'set'")
    assert "Mabel" in set(sets["value"])
    assert "case" not in set(found.attributes["attribute"])


def test_qualcoder_project(shared_data):
    found = read_qualcoder(shared_data / "qda" / "interviews_open.qda")
    assert found.codings["times"].sum() == 753
    assert len(found.codes) == 230
    assert len(found.documents) == 30
    assert found.codings["document"].nunique() == 28
    mapping = ThemeMapping(
        facility="name",
        pattern="^(?P<facility>[A-Z]+)",
        themes={
            "access": ("category:privacy - restricted access",),
            "names": ("category:privacy - deidentification",),
        },
    )
    table = theme_table(mapped_themes(found, mapping))
    shares = theme_shares(table, ["QR", "BSR", "DC"]).sel(round="all")
    assert shares.informants.sel(theme="access").values.tolist() == [9, 9, 10]
    assert shares.voiced.sel(theme="access").values.tolist() == [2, 1, 7]
    assert shares.voiced.sel(theme="names").values.tolist() == [6, 3, 5]


def test_a_project_is_never_written_to(shared_data):
    path = shared_data / "qda" / "interviews_open.qda"
    before = path.read_bytes(), sorted(path.parent.iterdir())
    read_qualcoder(path)
    assert (path.read_bytes(), sorted(path.parent.iterdir())) == before


@pytest.mark.parametrize("space", ["urn:QDA-XML:project:1.0", "urn:QDA-XML:project:0:4"])
def test_refi_of_either_namespace(tmp_path, space):
    found = read_refi(qdpx(tmp_path, QDE.format(space=space)))
    assert found.documents == ("i1", "i2")
    assert found.codes["path"].tolist() == [(), (), ("Leadership",)]
    assert found.codings[["document", "code", "coder"]].values.tolist() == [
        ["i1", "present", "Ann"],
        ["i1", "trust", "Bo"],
    ]
    assert found.attributes.values.tolist() == [
        ["i1", "case", "nurse 1"],
        ["i1", "Hospital", "North"],
        ["i1", "set", "round 1"],
    ]


def test_a_mapping_makes_the_table_of_themes(tmp_path):
    mapping = ThemeMapping(
        facility="attribute:Hospital",
        informant="case",
        round="set",
        themes={"leading": ("within:Leadership",), "trust": ("trust",)},
    )
    table = mapped_themes(read_project(qdpx(tmp_path), mapping), mapping)
    # each coder has a row for each theme: Bo did not find the first one
    assert table.values.tolist() == [
        ["North", "nurse 1", "round 1", "Ann", "leading", 1],
        ["North", "nurse 1", "round 1", "Ann", "trust", 0],
        ["North", "nurse 1", "round 1", "Bo", "leading", 0],
        ["North", "nurse 1", "round 1", "Bo", "trust", 1],
    ]
    wrong = ThemeMapping(facility="attribute:Hospital", themes={"x": ("no such code",)})
    with pytest.raises(InputError, match="no code 'no such code'"):
        mapped_themes(read_refi(qdpx(tmp_path)), wrong)
    kept = ThemeMapping(facility="attribute:Hospital", keep_uncoded=True)
    with pytest.raises(InputError, match=r"'i2' has no value of 'Hospital' for its facility"):
        mapped_themes(read_refi(qdpx(tmp_path)), kept)


def test_a_codebook_alone(tmp_path):
    path = tmp_path / "codes.qdc"
    path.write_text(
        '<CodeBook xmlns="urn:QDA-XML:codebook:1.0"><Codes><Code guid="1" name="a"/></Codes>'
        "</CodeBook>"
    )
    assert read_refi(path).codes["code"].tolist() == ["a"]


ENTITIES = """<?xml version="1.0"?><!DOCTYPE Project [<!ENTITY a "ha">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Project xmlns="urn:QDA-XML:project:1.0" name="&b;"/>"""
EXTERNAL = """<?xml version="1.0"?><!DOCTYPE Project SYSTEM "file:///etc/passwd">
<Project xmlns="urn:QDA-XML:project:1.0"/>"""


@pytest.mark.parametrize("text", [ENTITIES, EXTERNAL])
def test_entities_are_refused(tmp_path, text):
    with pytest.raises(InputError, match="entities or a document type"):
        read_refi(qdpx(tmp_path, text))


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "C:\\evil", "Sources/../../evil"])
def test_paths_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="leads out"):
        read_refi(qdpx(tmp_path, None, **{name: "x"}))


def test_bombs_are_refused(tmp_path):
    with pytest.raises(InputError, match="too much for one"):
        read_refi(qdpx(tmp_path, " " * 30_000_000))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04 torn", "no zip archive"),
        (packed({"other.xml": "<x/>"}), "0 files project.qde"),
        (packed({"project.qde": "<x"}), "not well-formed"),
        (packed({"project.qde": "<x/>"}), "no REFI-QDA project"),
        (b"hello", "not well-formed"),
    ],
)
def test_broken_projects_say_what_is_wrong(tmp_path, content, words):
    path = tmp_path / "project.qdpx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_refi(path)


def test_dangling_references_are_refused(tmp_path):
    text = QDE.format(space="urn:QDA-XML:project:1.0").replace(
        '<CodeRef targetGUID="c3"/>', '<CodeRef targetGUID="c9"/>'
    )
    with pytest.raises(InputError, match="does not hold"):
        read_refi(qdpx(tmp_path, text))


def database(path, script):
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path


QUALCODER = """
create table source (id integer primary key, name text);
create table code_cat (catid integer primary key, name text, supercatid integer);
create table code_name (cid integer primary key, name text, catid integer);
create table code_text (ctid integer primary key, cid integer, fid integer, owner text);
create table cases (caseid integer primary key, name text);
create table case_text (id integer primary key, caseid integer, fid integer);
create table attribute_type (name text primary key, caseOrFile text);
create table attribute (attrid integer primary key, name text, attr_type text, value text,
  id integer);
insert into source values (1, 'doc'), (2, 'other');
insert into code_cat values (1, 'outer', 2), (2, 'loop', 1);
insert into code_name values (1, 'trust', 1), (2, 'fear', null);
insert into code_text values (1, 1, 1, 'Ann'), (2, 1, 1, 'Ann'), (3, 9, 1, 'Ann');
insert into cases values (1, 'North');
insert into case_text values (1, 1, 1);
insert into attribute values (1, 'Round', 'file', '6', 1), (2, 'Beds', 'case', '80', 1);
"""


def test_qualcoder_cases_and_attributes(tmp_path):
    folder = tmp_path / "mine.qda"
    folder.mkdir()
    database(folder / "data.qda", QUALCODER)
    found = read_qualcoder(folder)
    # a circle of categories ends where it closes, a coding without a code is left out
    assert found.codes["path"].tolist() == [("loop", "outer"), ()]
    assert found.codings.values.tolist() == [["doc", "trust", "Ann", 2]]
    assert sorted(found.attributes.values.tolist()) == [
        ["doc", "Beds", "80"],
        ["doc", "Round", "6"],
        ["doc", "case", "North"],
    ]


TAGUETTE = """
create table projects (id integer primary key, name text);
create table documents (id integer primary key, name text, project_id integer);
create table tags (id integer primary key, project_id integer, path text);
create table highlights (id integer primary key, document_id integer);
create table highlight_tags (highlight_id integer, tag_id integer);
insert into projects values (1, 'one'), (2, 'two');
insert into documents values (1, 'doc', 1), (2, 'hidden', 2);
insert into tags values (1, 1, 'people.trust'), (2, 2, 'hidden');
insert into highlights values (1, 1), (2, 1), (3, 2);
insert into highlight_tags values (1, 1), (2, 1), (3, 2);
"""


def test_taguette(tmp_path):
    path = database(tmp_path / "t.sqlite3", TAGUETTE)
    with pytest.raises(InputError, match=r"1 \('one'\), 2 \('two'\)"):
        read_taguette(path)
    found = read_taguette(path, project_id=1)
    assert found.documents == ("doc",)
    assert found.codes.values.tolist() == [["people.trust", ("people",)]]
    assert found.codings.values.tolist() == [["doc", "people.trust", "", 2]]


def test_databases_that_are_none(tmp_path):
    path = tmp_path / "a.qda"
    path.write_text("hello")
    with pytest.raises(InputError, match="no SQLite database"):
        read_qualcoder(path)
    with pytest.raises(InputError, match="lacks the table 'source'"):
        read_qualcoder(database(tmp_path / "b.qda", "create view source as select 1"))
    torn = tmp_path / "c.qda"
    torn.write_bytes(b"SQLite format 3\x00" + b"\xff" * 4000)
    with pytest.raises(InputError, match="cannot be read as a database"):
        read_qualcoder(torn)


def test_atlas_ti_table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(
        '\ufeff,"North 1\nGr=12","South 1\nGr=3",Totals\n"○ trust\nGr=5",2,0,2\n'
        "● fear,,1,1\nTotals,2,1,3\n"
    )
    found = read_code_matrix(path, documents_in="columns")
    assert found.documents == ("North 1", "South 1")
    assert found.codings.values.tolist() == [
        ["North 1", "trust", "", 2],
        ["South 1", "fear", "", 1],
    ]
    mapping = ThemeMapping(
        facility="name", pattern="(?P<facility>[A-Za-z]+)", documents_in="columns"
    )
    table = mapped_themes(read_project(path, mapping), mapping)
    assert table[["facility", "theme", "value"]].values.tolist() == [
        ["North", "trust", 1], ["North", "fear", 0], ["South", "trust", 0], ["South", "fear", 1],
    ]  # fmt: skip


def test_nvivo_workbook(tmp_path):
    path = tmp_path / "matrix.xlsx"
    frame = pd.DataFrame({"": ["1 : North", "2 : South"], "A : trust": [3, 0], "B : fear": [0, 1]})
    frame.to_excel(path, index=False)
    found = read_code_matrix(path)
    assert found.documents == ("North", "South")
    assert found.codes["code"].tolist() == ["trust", "fear"]


def test_dedoose_table_with_columns_before(tmp_path):
    path = tmp_path / "d.tsv"
    path.write_text("Id\tMedia\ttrust\tfear\n7\tNorth\tTrue\tFalse\n8\tSouth\tx\t\n")
    found = read_code_matrix(path, names="Media")
    assert found.codings.values.tolist() == [["North", "trust", "", 1], ["South", "trust", "", 1]]


def test_names_like_formulas_come_back_as_they_are(tmp_path):
    from pdsim.analysis.interview_pages import theme_file

    names = ["=North", "+South", "'=East", "-West", "@Hub", "St. Mary's"]
    matrix = pd.DataFrame({"doc": names, "=trust": [1, 0, 1, 0, 1, 0]})
    matrix.to_csv(tmp_path / "m.csv", index=False)
    (tmp_path / "m.toml").write_text('facility = "name"\nkeep_uncoded = true\n')
    theme_file(tmp_path / "m.csv", tmp_path / "m.toml", out=tmp_path / "themes.csv")
    # no cell is a formula to a spreadsheet, and every name is the same again
    cells = (tmp_path / "themes.csv").read_text().replace("\n", ",").split(",")
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    found = read_themes(tmp_path / "themes.csv")
    assert found.frame["facility"].tolist() == names
    assert found.themes == ("=trust",)


def test_a_cell_that_is_no_count_is_named(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("doc,trust\nNorth,often\nSouth,-1\n")
    with pytest.raises(InputError) as caught:
        read_code_matrix(path)
    assert "row 2" in str(caught.value)
    assert "'often'" in str(caught.value)
    assert "row 3" in str(caught.value)


def test_mappings_name_what_they_do_not_know():
    with pytest.raises(ValueError, match="none of case"):
        ThemeMapping(facility="hospital")
    with pytest.raises(ValueError, match="no part 'place'"):
        ThemeMapping(pattern="(?P<place>x)")
    with pytest.raises(InputError, match=r"ending \.docx are not read"):
        read_project("a.docx", ThemeMapping())
