#!/usr/bin/env python3
"""What of Azure Blob Storage the tests need, kept in memory. A scripted server: no proof of what Azure itself does.

    scripts/azurescripted.py FOLDER BLOBS SKEWED TOKENS

BLOBS    port of the blob service, with the account in the path as emulators have it
SKEWED   the same blobs, by a clock that is an hour ahead
TOKENS   port of Entra's token service, of a machine's metadata service, and of App Service's

It is strict where Azure is: every signature is computed anew by Microsoft's own library for Python, clocks may differ by
a quarter of an hour, names of blocks have one length, what waits to be joined is dropped when the blob is written, and
listings come in pages shorter than asked for, each with a marker that only the server understands.

Writes to FOLDER: client.pem, the certificate and key of the application that the token service knows; federated, the
token of its workload identity; values, what a client has to know. The account and its key are those of all of Azure's
emulators.
"""
import base64
import binascii
import datetime
import email.utils
import hashlib
import json
import os
import re
import secrets
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import jwt
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob import BlobServiceClient, generate_account_sas, generate_container_sas
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "zenith-test"
TENANT, CLIENT, SECRET = "zenith-tenant", "zenith-client", "zenithsecret"
RESOURCE = "https://storage.azure.com/"
SKEW = 3600
ALLOWED_SKEW = 900
PAGE = 400

SIGNER = SharedKeyCredentialPolicy(ACCOUNT, KEY)
LOCK = threading.Lock()
CONTAINERS = {}  # name -> {blob name -> Blob}
LOOSE = {}  # (container, blob) -> {block id -> bytes}
TOKENS = set()
ASSERTIONS = set()


class Refusal(Exception):
    def __init__(self, status, code, message="Made up.", detail="", headers=()):
        self.status, self.code, self.message, self.detail, self.headers = status, code, message, detail, headers


class Blob:
    def __init__(self, body, headers, md5, blocks=()):
        self.body, self.md5, self.blocks = body, md5, dict(blocks)
        self.metadata = {k: v for k, v in headers.items() if k.startswith("x-ms-meta-")}
        self.type = headers.get("x-ms-blob-content-type") or headers.get("content-type", "application/octet-stream")
        self.etag = '"0x%s"' % secrets.token_hex(8).upper()
        self.time = email.utils.formatdate(usegmt=True)


def md5_of(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def is_xml(name):
    return not re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", name)


class Service(BaseHTTPRequestHandler):
    """Common to all ports: one exchange, its body read whole before anything is done."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(time.time() + self.server.skew, usegmt=True)

    def exchange(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        if len(self.body) < length:  # the client has gone: nothing was asked
            self.close_connection = True
            return
        self.fields = {name.lower(): value for name, value in self.headers.items()}
        self.url = urllib.parse.urlsplit(self.path)
        pairs = [pair.partition("=") for pair in self.url.query.split("&") if pair]
        self.query = {name: urllib.parse.unquote(value) for name, _, value in pairs}
        self.answer(*self.respond())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = exchange

    def answer(self, status, headers=(), body=b"", length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Blobs(Service):
    def respond(self):
        common = [("x-ms-request-id", secrets.token_hex(8)), ("x-ms-version", self.fields.get("x-ms-version", ""))]
        common += [(n, self.fields[n]) for n in ("x-ms-client-request-id",) if n in self.fields]
        try:
            self.authorize()
            self.check_body()
            parts = self.url.path.split("/", 3)[1:]
            if parts[0] != ACCOUNT or len(parts) < 2:
                raise Refusal(404, "ResourceNotFound")
            container = urllib.parse.unquote(parts[1])
            blob = urllib.parse.unquote(parts[2]) if len(parts) > 2 else ""
            status, headers, *rest = self.on_blob(container, blob) if blob else self.on_container(container)
            return (status, common + list(headers), *rest)
        except Refusal as refusal:
            detail = refusal.detail and "<AuthenticationErrorDetail>%s</AuthenticationErrorDetail>" % escape(refusal.detail)
            text = '\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>%s</Code><Message>%s\nRequestId:%s\nTime:%s' \
                "</Message>%s</Error>" % (refusal.code, escape(refusal.message), common[0][1], time.time(), detail)
            head = [("x-ms-error-code", refusal.code), ("Content-Type", "application/xml"), *refusal.headers]
            return refusal.status, common + head, text.encode()

    # Who asks

    def authorize(self):
        authorization = self.fields.get("authorization", "")
        if "sig" in self.query:
            return self.check_signature_token()
        if authorization.startswith("Bearer "):
            if authorization[7:] not in TOKENS:
                raise Refusal(401, "InvalidAuthenticationInfo", "The token is not known.")
            return
        if not authorization:
            raise Refusal(401, "NoAuthenticationInformation")
        now = time.time() + self.server.skew
        date = email.utils.parsedate_to_datetime(self.fields.get("x-ms-date", "Thu, 01 Jan 1970 00:00:00 GMT"))
        if abs(now - date.timestamp()) > ALLOWED_SKEW:
            raise Refusal(403, "AuthenticationFailed", "Server failed to authenticate the request.",
                          "Request date header too old: '%s'" % self.fields.get("x-ms-date"))
        headers = {name: value for name, value in self.fields.items() if name != "authorization"}
        request = HttpRequest(self.command, "http://%s%s" % (self.headers["Host"], self.path), headers=headers)
        SIGNER.on_request(PipelineRequest(request, PipelineContext(None)))
        if request.headers["Authorization"] != authorization:
            raise Refusal(403, "AuthenticationFailed", "Server failed to authenticate the request.",
                          "The MAC signature found in the HTTP request is not the same as any computed signature.")

    def check_signature_token(self):
        query = self.query
        common = dict(account_name=ACCOUNT, permission=query.get("sp"), expiry=query.get("se"), start=query.get("st"),
                      protocol=query.get("spr"))
        if "ss" in query:
            made = generate_account_sas(account_key=KEY, resource_types=query.get("srt"), services=query["ss"], **common)
        else:
            container = urllib.parse.unquote(self.url.path.split("/")[2])
            made = generate_container_sas(container_name=container, account_key=KEY, **common)
        fields = dict(pair.partition("=")[::2] for pair in made.split("&"))
        if urllib.parse.unquote(fields["sig"]) != query["sig"]:
            raise Refusal(403, "AuthenticationFailed", "Signature did not match.", "String to sign used was ...")
        end = datetime.datetime.fromisoformat(query["se"].replace("Z", "+00:00"))
        if end.timestamp() < time.time():
            raise Refusal(403, "AuthenticationFailed", "Signature not valid in the specified time frame.",
                          "Signature not valid in the specified time frame: Expiry [%s]" % query["se"])
        if self.command in ("GET", "HEAD"):
            needed = "l" if query.get("comp") == "list" else "r"
        else:
            needed = "d" if self.command == "DELETE" else "w"
        if needed not in query["sp"]:
            raise Refusal(403, "AuthorizationPermissionMismatch", "Not authorized to perform this operation.")

    def check_body(self):
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", self.fields.get("x-ms-version", "")):
            raise Refusal(400, "InvalidHeaderValue", "x-ms-version is missing.")
        given = self.fields.get("content-md5")
        if given and given != md5_of(self.body):
            raise Refusal(400, "Md5Mismatch", "The MD5 value specified in the request did not match.")

    # What is asked

    def blobs(self, container):
        if container not in CONTAINERS:
            raise Refusal(404, "ContainerNotFound", "The specified container does not exist.")
        return CONTAINERS[container]

    def on_container(self, container):
        with LOCK:
            if self.query.get("restype") != "container":
                raise Refusal(400, "InvalidQueryParameterValue")
            if self.command == "PUT":
                if container in CONTAINERS:
                    raise Refusal(409, "ContainerAlreadyExists")
                CONTAINERS[container] = {}
                return 201, []
            if self.command == "GET" and self.query.get("comp") == "list":
                return 200, [("Content-Type", "application/xml")], self.listing(container).encode()
        raise Refusal(405, "UnsupportedHttpVerb")

    def listing(self, container):
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter")
        asked = int(self.query.get("maxresults", 5000))
        if asked < 1:
            raise Refusal(400, "OutOfRangeQueryParameterValue")
        start = ""
        if "marker" in self.query:
            try:
                start = base64.b64decode(self.query["marker"].removeprefix("2!"), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise Refusal(400, "OutOfRangeInput", "Invalid ListBlobs marker.")
        if self.fields["x-ms-version"] >= "2026-02-06":
            start = max(start, self.query.get("startFrom", ""), key=lambda name: name.encode())
        entries, following, last = [], "", None
        blobs = self.blobs(container)
        for name in sorted(blobs, key=lambda name: name.encode()):
            if not name.startswith(prefix) or name.encode() < start.encode():
                continue
            end = name.find(delimiter, len(prefix)) if delimiter else -1
            shown = name[:end + len(delimiter)] if end >= 0 else name
            if shown == last:
                continue
            if len(entries) == min(asked, PAGE):
                following = "2!" + base64.b64encode(name.encode()).decode()
                break
            last = shown
            if is_xml(shown):
                element = "<Name>%s</Name>" % escape(shown, {"\r": "&#13;"})
            else:
                element = '<Name Encoded="true">%s</Name>' % urllib.parse.quote(shown, safe="")
            if end >= 0:
                entries.append("<BlobPrefix>%s</BlobPrefix>" % element)
            else:
                blob = blobs[name]
                entries.append("<Blob>%s<Properties><Last-Modified>%s</Last-Modified><Etag>%s</Etag><Content-Length>%d"
                               "</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
                               % (element, blob.time, blob.etag.strip('"'), len(blob.body)))
        return ('\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="%s"><Blobs>%s</Blobs>'
                "<NextMarker>%s</NextMarker></EnumerationResults>" % (container, "".join(entries), following))

    def on_blob(self, container, name):
        with LOCK:
            blobs = self.blobs(container)
            operation = self.query.get("comp", "")
            if self.command == "PUT":
                if operation == "block":
                    return self.put_block(container, name)
                if self.fields.get("if-none-match") == "*" and name in blobs:
                    raise Refusal(409, "BlobAlreadyExists", "The specified blob already exists.")
                if operation == "blocklist":
                    blobs[name] = self.joined(container, name)
                elif self.fields.get("x-ms-blob-type") == "BlockBlob" and not operation:
                    blobs[name] = Blob(self.body, self.fields, md5_of(self.body))
                else:
                    raise Refusal(400, "InvalidHeaderValue")
                LOOSE.pop((container, name), None)
                return 201, [("ETag", blobs[name].etag), ("Last-Modified", blobs[name].time)]
            if name not in blobs:
                raise Refusal(404, "BlobNotFound", "The specified blob does not exist.")
            blob = blobs[name]
            if self.fields.get("if-match", blob.etag) != blob.etag:
                raise Refusal(412, "ConditionNotMet", "The condition is not met.")
            if self.command == "DELETE":
                del blobs[name]
                return 202, []
        if self.command in ("GET", "HEAD") and not operation:
            return self.content(blob)
        raise Refusal(405, "UnsupportedHttpVerb")

    def put_block(self, container, name):
        block = self.query.get("blockid", "")
        loose = LOOSE.setdefault((container, name), {})
        known = list(loose) or [block]
        try:
            length = len(base64.b64decode(block, validate=True))
        except binascii.Error:
            length = 0
        if not 1 <= length <= 64 or len(known[0]) != len(block):
            raise Refusal(400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.")
        if not self.body:
            raise Refusal(400, "InvalidHeaderValue")
        loose[block] = self.body
        return 201, []

    def joined(self, container, name):
        old = CONTAINERS[container].get(name)
        committed, loose = old.blocks if old else {}, LOOSE.get((container, name), {})
        blocks = []
        for element in ElementTree.fromstring(self.body):
            where = {"Latest": [loose, committed], "Uncommitted": [loose], "Committed": [committed]}[element.tag]
            found = next((blocks[element.text] for blocks in where if element.text in blocks), None)
            if found is None:
                raise Refusal(400, "InvalidBlockList", "The specified block list is invalid.")
            blocks.append((element.text, found))
        return Blob(b"".join(body for _, body in blocks), self.fields, self.fields.get("x-ms-blob-content-md5"), blocks)

    def content(self, blob):
        headers = [("ETag", blob.etag), ("Last-Modified", blob.time), ("x-ms-blob-type", "BlockBlob"),
                   ("Content-Type", blob.type), ("Accept-Ranges", "bytes"), *blob.metadata.items()]
        size = len(blob.body)
        text = self.fields.get("x-ms-range") or self.fields.get("range")
        if self.command == "HEAD" or not text:
            headers += [("Content-MD5", blob.md5)] if blob.md5 else []
            return 200, headers, b"" if self.command == "HEAD" else blob.body, size
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", text).groups()
        first, last = int(first), min(int(last or size), size - 1)
        if first >= size:
            raise Refusal(416, "InvalidRange", headers=[("Content-Range", "bytes */%d" % size)])
        headers += [("x-ms-blob-content-md5", blob.md5)] if blob.md5 else []
        return 206, headers + [("Content-Range", "bytes %d-%d/%d" % (first, last, size))], blob.body[first:last + 1]


class Identities(Service):
    """The token services. `zenith-client` is an application, a workload identity, and a managed identity."""

    def respond(self):
        try:
            if self.command == "POST" and self.url.path == "/%s/oauth2/v2.0/token" % TENANT:
                self.check_application()
            elif self.command == "GET" and self.url.path == "/metadata/identity/oauth2/token":
                if self.fields.get("metadata") != "true":
                    raise ValueError("the header Metadata is missing")
                self.check_managed("2018-02-01")
            elif self.command == "GET" and self.url.path == "/msi/token":
                if self.fields.get("x-identity-header") != SECRET:
                    raise ValueError("the header X-IDENTITY-HEADER is missing or wrong")
                self.check_managed("2019-08-01")
            else:
                return self.json(404, {"error": "not_found"})
        except (ValueError, jwt.PyJWTError) as error:
            return self.json(400, {"error": "invalid_client", "error_description": "AADSTS0: %s" % error})
        token = secrets.token_urlsafe(24)
        TOKENS.add(token)
        answer = {"token_type": "Bearer", "access_token": token}
        if self.command == "POST":
            return self.json(200, {**answer, "expires_in": 3599, "ext_expires_in": 3599})
        return self.json(200, {**answer, "resource": RESOURCE, "expires_on": str(int(time.time()) + 86400)})

    @staticmethod
    def json(status, value):
        return status, [("Content-Type", "application/json")], json.dumps(value).encode()

    def check_managed(self, version):
        if self.query.get("api-version") != version or self.query.get("resource") != RESOURCE:
            raise ValueError("api-version or resource is wrong")
        if self.query.get("client_id", CLIENT) != CLIENT:
            raise ValueError("Identity not found")

    def check_application(self):
        form = dict(urllib.parse.parse_qsl(self.body.decode(), strict_parsing=True))
        expected = {"client_id": CLIENT, "grant_type": "client_credentials", "scope": RESOURCE + ".default"}
        for name, value in expected.items():
            if form.get(name) != value:
                raise ValueError("%s is wrong" % name)
        if "client_secret" in form:
            if form["client_secret"] != SECRET:
                raise ValueError("invalid client secret provided")
            return
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            raise ValueError("client_assertion_type is wrong")
        assertion = form["client_assertion"]
        if assertion == self.server.federated:
            return
        head = jwt.get_unverified_header(assertion)
        thumbprint = base64.urlsafe_b64encode(self.server.certificate.fingerprint(hashes.SHA1())).decode()
        if head.get("x5t") != thumbprint or head.get("typ") != "JWT":
            raise ValueError("the certificate is not known")
        claims = jwt.decode(
            assertion, self.server.certificate.public_key(), algorithms=["RS256"], issuer=CLIENT,
            audience="http://%s%s" % (self.headers["Host"], self.url.path),
            options={"require": ["exp", "iat", "iss", "sub", "aud", "jti"]})
        if claims["sub"] != CLIENT or claims["exp"] - claims["iat"] > 600 or claims["jti"] in ASSERTIONS:
            raise ValueError("the assertion is for another, lasts too long, or was used before")
        ASSERTIONS.add(claims["jti"])


def make_certificate(path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "zenith")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=2)).sign(key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    with open(path, "wb") as file:
        file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        file.write(certificate.public_bytes(pem))
    return certificate


def write_values(folder):
    """Where the files are, and three shared access signatures."""
    end = datetime.datetime(2036, 1, 1, tzinfo=datetime.timezone.utc)
    common = dict(account_name=ACCOUNT, account_key=KEY)
    values = {
        "certificate": os.path.join(folder, "client.pem"), "federated": os.path.join(folder, "federated"),
        "account": generate_account_sas(resource_types="co", permission="rwdl", expiry=end, **common),
        "container": generate_container_sas(container_name=CONTAINER, permission="rl", expiry=end, **common),
        "expired": generate_container_sas(
            container_name=CONTAINER, permission="rl", expiry=end.replace(year=2020), **common)}
    with open(os.path.join(folder, "values"), "w") as file:
        file.writelines("%s=%s\n" % item for item in values.items())


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    skew = 0

    def __init__(self, port, service):
        super().__init__(("127.0.0.1", int(port)), service)

    def begin(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that has gone


def main():
    folder, blobs, skewed, tokens = sys.argv[1:]
    identities = Server(tokens, Identities)
    identities.certificate = make_certificate(os.path.join(folder, "client.pem"))
    identities.federated = "federated." + secrets.token_urlsafe(24)
    with open(os.path.join(folder, "federated"), "w") as file:
        file.write(identities.federated + "\n")
    write_values(folder)
    late = Server(skewed, Blobs)
    late.skew = SKEW
    for server in (identities, late, prompt := Server(blobs, Blobs)):
        server.begin()
    # By Microsoft's own client: so that it is known to understand this server.
    url = "http://127.0.0.1:%s/%s" % (blobs, ACCOUNT)
    client = BlobServiceClient(url, credential=KEY).create_container(CONTAINER)
    client.upload_blob("a b/%", b"0123456789", overwrite=False)
    assert client.download_blob("a b/%", offset=3, length=4).readall() == b"3456"
    assert [blob.name for blob in client.list_blobs()] == ["a b/%"]
    client.delete_blob("a b/%")
    open(os.path.join(folder, "ready"), "w").close()
    threading.Event().wait()


main()
