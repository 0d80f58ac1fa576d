#!/usr/bin/env python3
"""Writes google-signatures.json: assertions of service accounts, signed by Google's own library (PyPI: google-auth,
cryptography) with the example key of RFC 7515, appendix A.2.

    google-signatures.py >google-signatures.json
"""
import datetime
import json
import pathlib
import unittest.mock

from google.auth import _helpers, crypt
from google.oauth2 import service_account

key = (pathlib.Path(__file__).parent / "../../DigestsTests/Golden/rfc7515-pkcs8.pem").read_text()
storage = "https://www.googleapis.com/auth/devstorage.read_write"
cases = [
    ("zenith@zenith-test.iam.gserviceaccount.com", "key-1", storage, 1_800_000_000),
    ("zenith@zenith-test.iam.gserviceaccount.com", None, storage, 1_700_000_001),
    ("odd\"name\\with/ümlaut\u007f@x.example", "k\te\ny", "https://www.googleapis.com/auth/cloud-platform", 0),
    ("🐘@x.example", "0123456789abcdef0123456789abcdef01234567", storage, 4_102_444_800),
]
found = []
for email, key_id, scope, issued_at in cases:
    signer = crypt.RSASigner.from_string(key, key_id)
    credentials = service_account.Credentials(signer, email, "https://example.com/token", scopes=[scope])
    now = datetime.datetime.fromtimestamp(issued_at, datetime.timezone.utc).replace(tzinfo=None)
    with unittest.mock.patch.object(_helpers, "utcnow", return_value=now):
        assertion = credentials._make_authorization_grant_assertion().decode()
    found.append({"email": email, "keyID": key_id, "scope": scope, "issuedAt": issued_at, "assertion": assertion})
print(json.dumps(found, indent=2))
