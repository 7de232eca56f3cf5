"""Which kind of workbook a file is. Its content tells; its name may say anything."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from io import BytesIO
from typing import Final
from xml.parsers import expat

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.formats.workbook_bounds import check_archive, check_xml
from prefect_staticadslab.campaign.files.formats.workbooks.ods import ods_sheets
from prefect_staticadslab.campaign.files.formats.workbooks.ole import (
    SIGNATURE,
    CompoundFile,
    OleError,
)
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import Sheet
from prefect_staticadslab.campaign.files.formats.workbooks.xls import (
    STREAMS,
    ProtectedError,
    xls_sheets,
)
from prefect_staticadslab.campaign.files.formats.workbooks.xlsb import xlsb_sheets
from prefect_staticadslab.campaign.files.formats.workbooks.xlsx import Parts, xlsx_sheets

_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_OLD_BIFF: Final = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00", b"\x09\x08")
"""How workbooks of Excel 2 to 4 begin, and of Excel 5 outside of a compound file."""

_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\b")
_HEAD: Final = 4096

PROTECTED: Final = (
    "The file is protected by a password. Open it in a spreadsheet program, take the password "
    "off, and save it as plain .xlsx."
)
SAVE_AS: Final = "Open it in a spreadsheet program and save it as .xlsx."


def is_workbook(content: bytes) -> bool:
    """Whether a file is one that no text is: a ZIP, a compound file, or a workbook in XML."""
    return content.startswith((*_ZIP, SIGNATURE[:4], *_OLD_BIFF)) or _xml_kind(content) is not None


def sheets_of(content: bytes) -> Sequence[Sheet]:
    """The sheets of a workbook of any kind, of which none is read yet.

    Raises:
        SpreadsheetError: It is none that can be read; the message says what to do.
    """
    try:
        if content.startswith(SIGNATURE[:4]):
            return _sheets_of_compound_file(content)
        if content.startswith(_ZIP):
            return _sheets_of_archive(content)
        if _xml_kind(content) == "fods":
            check_xml(BytesIO(content))
            return ods_sheets(BytesIO(content))
    except SpreadsheetError:
        raise
    except ProtectedError:
        raise _refusal(PROTECTED) from None
    except Exception as error:  # a broken file can break its reader anywhere
        raise broken(error) from None
    if _xml_kind(content) == "xml":
        raise _refusal(f"The file is an XML spreadsheet of Excel 2003. {SAVE_AS}")
    raise _refusal(f"The file is a workbook of Excel 4 or before. {SAVE_AS}")


def broken(error: Exception) -> SpreadsheetError:
    """The refusal of a workbook whose reading ended with `error`."""
    name = "XML" if isinstance(error, expat.ExpatError) else type(error).__name__
    return _refusal(f"The file is no workbook, such as an .xlsx, or a broken one ({name}).")


def _sheets_of_compound_file(content: bytes) -> Sequence[Sheet]:
    """The sheets of an .xls; raises if it is encrypted, or something else of that time."""
    if not content.startswith(SIGNATURE):
        raise OleError("no signature")
    file = CompoundFile(content)
    if "EncryptedPackage" in file.entries:
        raise ProtectedError
    if not any(name in file.entries for name in STREAMS):
        raise _refusal(
            f"The file is of an old program of Microsoft's, and no workbook of Excel. {SAVE_AS}"
        )
    return xls_sheets(file)


def _sheets_of_archive(content: bytes) -> Sequence[Sheet]:
    """The sheets of a ZIP: an .xlsx, .xlsm, .xlsb or .ods; raises if it is something else."""
    check_archive(content)
    parts = Parts(content)
    main = parts.main
    if main in parts:
        return xlsb_sheets(parts) if main.casefold().endswith(".bin") else xlsx_sheets(parts)
    if "content.xml" in parts and "mimetype" in parts:
        if b"spreadsheet" not in parts.read("mimetype"):
            raise _refusal(f"The file is a document of LibreOffice, and no spreadsheet. {SAVE_AS}")
        if "META-INF/manifest.xml" in parts and b"encryption-data" in parts.read(
            "META-INF/manifest.xml"
        ):
            raise ProtectedError
        with parts.open("content.xml") as stream:
            return ods_sheets(stream)
    raise _refusal(_other_archive(content))


def _other_archive(content: bytes) -> str:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        names = archive.namelist()
    if any(name.endswith(".iwa") for name in names):
        return (
            "The file is a Numbers spreadsheet. In Numbers choose File > Export To, and export it "
            "as Excel or CSV."
        )
    return "The file is a ZIP, and no workbook. Unpack it, and use the spreadsheet within it."


def _xml_kind(content: bytes) -> str | None:
    """What a workbook in a single XML file is; None if a file is none."""
    head = content[:_HEAD]
    if not _XML.match(head):
        return None
    if b"office:document" in head and b"spreadsheet" in head:
        return "fods"
    return "xml" if b"urn:schemas-microsoft-com:office:spreadsheet" in head else None


def _refusal(message: str) -> SpreadsheetError:
    return SpreadsheetError([Problem(message)])
