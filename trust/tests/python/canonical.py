#!/usr/bin/env python3
"""Reads JSON documents from stdin, one a line; prints python-securesystemslib's canonical form
of each, in hexadecimal, one a line; and for a document with `keytype` its key id beside it."""

import hashlib
import json
import sys

from securesystemslib.formats import encode_canonical

for line in sys.stdin:
    document = json.loads(line)
    encoded = encode_canonical(document).encode()
    print(encoded.hex(), hashlib.sha256(encoded).hexdigest())
