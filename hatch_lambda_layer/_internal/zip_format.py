"""The records of a zip archive, as far as reader and writer share them (PKWARE APPNOTE 6.3)."""

from __future__ import annotations

import struct

STORED = 0
DEFLATED = 8

FLAG_ENCRYPTED = 1 << 0
FLAG_DATA_DESCRIPTOR = 1 << 3
FLAG_PATCHED = 1 << 5
FLAG_STRONG_ENCRYPTION = 1 << 6
FLAG_UTF8 = 1 << 11
FLAG_MASKED_HEADER = 1 << 13

LOCAL_SIGNATURE = b"PK\x03\x04"
CENTRAL_SIGNATURE = b"PK\x01\x02"
DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
END_SIGNATURE = b"PK\x05\x06"
ZIP64_EXTRA_ID = 0x0001
UNICODE_PATH_EXTRA_ID = 0x7075
MAX_16 = 0xFFFF
MAX_32 = 0xFFFFFFFF

# signature, version needed, flags, method, time, date, CRC, compressed size, size, length of the
# name, length of the extra field
LOCAL_HEADER = struct.Struct("<4s5H3L2H")
# signature, version made by, then as above, then length of the comment, disk, internal
# attributes, external attributes, offset of the local header
CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
# signature, disk, disk of the directory, members on it, members, size and offset of the
# directory, length of the comment
END_RECORD = struct.Struct("<4s4H2LH")
