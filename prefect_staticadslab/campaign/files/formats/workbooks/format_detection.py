"""Which format a workbook has, by its content; a file's name may say anything."""

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

_ZIP_SIGNATURES: Final = (b"PK\x03\x04", b"PK\x05\x06")
"""How a ZIP begins, and an empty one."""

_OLD_EXCEL_SIGNATURES: Final = (
    b"\x09\x00\x04\x00",
    b"\x09\x02\x06\x00",
    b"\x09\x04\x06\x00",
    b"\x09\x08",
)
"""How workbooks of Excel 2 to 4 begin, and of Excel 5 outside of a compound file."""

_XML_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\b")
_HEAD_BYTES: Final = 4096

PROTECTED: Final = (
    "The file is protected by a password. Open it in a spreadsheet program, take the password "
    "off, and save it as plain .xlsx."
)
SAVE_AS: Final = "Open it in a spreadsheet program and save it as .xlsx."


def is_workbook(content: bytes) -> bool:
    """Whether a file begins as a ZIP, a compound file, a workbook in XML or an old one of Excel's.

    It may be one that cannot be read; `open_workbook` says so.
    """
    return (
        content.startswith((*_ZIP_SIGNATURES, SIGNATURE[:4], *_OLD_EXCEL_SIGNATURES))
        or _single_xml_format(content) is not None
    )


def open_workbook(content: bytes) -> Sequence[Sheet]:
    """The sheets of a workbook of any format. Their cells are read later, by `Sheet.read`, but for
    an .ods and a .fods, which are read at once.

    Raises:
        SpreadsheetError: It is none that can be read, or a broken one, or larger than is read. The
            message says what to do.
    """
    try:
        if content.startswith(SIGNATURE[:4]):
            return _open_compound_file(content)
        if content.startswith(_ZIP_SIGNATURES):
            return _open_zip(content)
        if _single_xml_format(content) == "fods":
            check_xml(BytesIO(content))
            return ods_sheets(BytesIO(content))
    except SpreadsheetError:
        raise
    except ProtectedError:
        raise _spreadsheet_error(PROTECTED) from None
    except Exception as error:  # a broken file can break its reader anywhere
        raise broken_workbook_error(error) from None
    if _single_xml_format(content) == "xml":
        raise _spreadsheet_error(f"The file is an XML spreadsheet of Excel 2003. {SAVE_AS}")
    raise _spreadsheet_error(f"The file is a workbook of Excel 4 or before. {SAVE_AS}")


def broken_workbook_error(error: Exception) -> SpreadsheetError:
    """The error to raise for a workbook whose reading ended with `error`, which it names."""
    name = "XML" if isinstance(error, expat.ExpatError) else type(error).__name__
    return _spreadsheet_error(
        f"The file is no workbook, such as an .xlsx, or a broken one ({name})."
    )


def _open_compound_file(content: bytes) -> Sequence[Sheet]:
    """The sheets of an .xls.

    Raises:
        ProtectedError: It is encrypted; an encrypted .xlsx is a compound file, too.
        SpreadsheetError: It has no workbook in it, or a larger one than is read.
        OleError, BrokenWorkbookError, struct.error: It is broken.
    """
    if not content.startswith(SIGNATURE):
        raise OleError("no signature")
    file = CompoundFile(content)
    if "EncryptedPackage" in file.entries:
        raise ProtectedError
    if not any(name in file.entries for name in STREAMS):
        raise _spreadsheet_error(
            f"The file is of an old program of Microsoft's, and no workbook of Excel. {SAVE_AS}"
        )
    return xls_sheets(file)


def _open_zip(content: bytes) -> Sequence[Sheet]:
    """The sheets of an .xlsx, .xlsm, .xlsb or .ods.

    Raises:
        ProtectedError: It is encrypted.
        SpreadsheetError: It is another file than these, or larger than is read.
        Exception: It is broken; which one depends on its reader.
    """
    check_archive(content)
    parts = Parts(content)
    main_part = parts.main_part
    if main_part in parts:
        return xlsb_sheets(parts) if main_part.casefold().endswith(".bin") else xlsx_sheets(parts)
    if "content.xml" in parts and "mimetype" in parts:
        if b"spreadsheet" not in parts.read("mimetype"):
            raise _spreadsheet_error(
                f"The file is a document of LibreOffice, and no spreadsheet. {SAVE_AS}"
            )
        if "META-INF/manifest.xml" in parts and b"encryption-data" in parts.read(
            "META-INF/manifest.xml"
        ):
            raise ProtectedError
        with parts.open("content.xml") as stream:
            return ods_sheets(stream)
    raise _spreadsheet_error(_other_zip_message(content))


def _other_zip_message(content: bytes) -> str:
    """What to tell of a ZIP that is no workbook that can be read."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        names = archive.namelist()
    if any(name.endswith(".iwa") for name in names):
        return (
            "The file is a Numbers spreadsheet. In Numbers choose File > Export To, and export it "
            "as Excel or CSV."
        )
    return "The file is a ZIP, and no workbook. Unpack it, and use the spreadsheet within it."


def _single_xml_format(content: bytes) -> str | None:
    """The format of a workbook that is a single XML file: "fods", or "xml" for that of Excel 2003;
    None if a file is neither."""
    head = content[:_HEAD_BYTES]
    if not _XML_DECLARATION.match(head):
        return None
    if b"office:document" in head and b"spreadsheet" in head:
        return "fods"
    return "xml" if b"urn:schemas-microsoft-com:office:spreadsheet" in head else None


def _spreadsheet_error(message: str) -> SpreadsheetError:
    return SpreadsheetError([Problem(message)])
