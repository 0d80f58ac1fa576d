#!/usr/bin/env python3
"""A scripted stand-in for Alibaba Cloud OSS, for tests. Objects are kept in memory.

    scripts/ossscripted.py KEY SECRET BUCKET PORT PORT    the clock of the second port is an hour ahead

What it does is taken from the vendor's documentation, and is no proof of what the service does. Signatures of version 4
and 1 are verified by the code of the vendor's client, oss2, which computes them anew from what has arrived.

Requests name the bucket in the path, or in the host where that is a name of Alibaba Cloud's: then this is used as an
HTTP proxy. There are these buckets:
    BUCKET             in cn-hangzhou
    BUCKET-versions    the same, with versioning: the service then takes no notice of x-oss-forbid-overwrite
    BUCKET-ignorant    the same, of a service that does not know that header
    BUCKET-beijing     in cn-beijing, and only by that region's host
Keys are KEY with SECRET; the temporary STS.KEY with SECRET and the token `token`, or the token `expired`, which has
ended.
"""
import base64
import calendar
import hashlib
import socket
import sys
import threading
import time
import types
import uuid
import xml.etree.ElementTree as ElementTree
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, unquote_plus, urlsplit
from xml.sax.saxutils import escape

from oss2.auth import ProviderAuth, ProviderAuthV4
from oss2.credentials import Credentials
from requests.structures import CaseInsensitiveDict

KEY, SECRET, BUCKET = sys.argv[1:4]
SKEW_LIMIT = 15 * 60
LEAST_PART = 100 << 10


class Refusal(Exception):
    def __init__(self, status, code, message, **fields):
        self.status, self.code, self.message, self.fields = status, code, message, fields


class Bucket:
    def __init__(self, region="cn-hangzhou", versions=False, honours=True):
        self.region, self.versions, self.honours = region, versions, honours
        self.objects = {}
        self.uploads = {}


BUCKETS = {
    BUCKET: Bucket(),
    BUCKET + "-versions": Bucket(versions=True, honours=False),
    BUCKET + "-ignorant": Bucket(honours=False),
    BUCKET + "-beijing": Bucket(region="cn-beijing"),
}
LOCK = threading.Lock()


def credentials(key, token):
    if key == KEY:
        return Credentials(KEY, SECRET)
    if key == "STS." + KEY:
        if token == "expired":
            raise Refusal(403, "SecurityTokenExpired", "The security token you provided has expired.")
        if token != "token":
            raise Refusal(403, "InvalidSecurityToken", "The security token you provided is invalid.")
        return Credentials(key, SECRET, token)
    raise Refusal(403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.")


def verify(request, bucket_name, bucket, now):
    """Has the vendor's client sign the same request, and compares."""
    given = request.headers.get("authorization", "")
    token = request.headers.get("x-oss-security-token")
    key = request.key or ""
    if given.startswith("OSS4-HMAC-SHA256 "):
        fields = dict(item.strip().split("=", 1) for item in given.split(" ", 1)[1].split(","))
        access_key, day, region, product, end = fields["Credential"].split("/")
        stamp = request.headers.get("x-oss-date", "")
        date = time.strptime(stamp, "%Y%m%dT%H%M%SZ")
        if (day, product, end) != (stamp[:8], "oss", "aliyun_v4_request"):
            raise Refusal(400, "InvalidArgument", "The credential is malformed.")
        if region != bucket.region:
            raise Refusal(400, "InvalidArgument", "The signing region in credential is invalid.")
        if request.headers.get("x-oss-content-sha256") != "UNSIGNED-PAYLOAD":
            raise Refusal(400, "InvalidArgument", "x-oss-content-sha256 is missing.")
        names = fields.get("AdditionalHeaders")
        additional = names.split(";") if names else None
        seconds = calendar.timegm(date)
        expected = ProviderAuthV4(None)._ProviderAuthV4__make_signature(
            request, bucket_name, key, additional, credentials(access_key, token), stamp)
        signature = fields["Signature"]
    elif given.startswith("OSS ") and ":" in given:
        access_key, signature = given[4:].split(":", 1)
        seconds = parsedate_to_datetime(request.headers.get("date")).timestamp()
        expected = ProviderAuth(None)._ProviderAuth__make_signature(
            request, bucket_name, key, credentials(access_key, token))
    else:
        raise Refusal(403, "AccessDenied", "The request bears no signature.")
    if abs(seconds - now) > SKEW_LIMIT:
        raise Refusal(
            403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
            MaxAllowedSkewMilliseconds=SKEW_LIMIT * 1000)
    if signature != expected:
        raise Refusal(
            403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you "
            "provided. Check your key and signing method.")


def tag(data):
    return '"' + hashlib.md5(data).hexdigest().upper() + '"'


def digest(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def element(name, *content):
    return f"<{name}>{''.join(content)}</{name}>"


def document(name, *content):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + element(name, *content)).encode()


class Request:
    """As the vendor's signer takes it, and what else a request says."""

    product, cloudbox_id = "oss", None

    def __init__(self, handler):
        self.method = handler.command
        self.headers = CaseInsensitiveDict(handler.headers.items())
        parts = urlsplit(handler.path)
        host = (parts.hostname or self.headers.get("host", "")).lower()
        path = parts.path[1:]
        self.host = host
        if host.endswith(".aliyuncs.com"):
            self.bucket, path = host.split(".", 1)[0], path
        else:
            self.bucket, _, path = path.partition("/")
        self.key = unquote(path, errors="strict") or None
        self.params = {}
        for item in parts.query.split("&") if parts.query else []:
            name, _, value = item.partition("=")
            self.params[unquote_plus(name)] = unquote_plus(value)
        self.region = None  # set once the credential has told it
        given = self.headers.get("authorization", "")
        if given.startswith("OSS4-"):
            self.region = given.split("Credential=", 1)[-1].split("/")[2]
        self.body = b""

    def name(self, text):
        return quote(text, safe="") if self.params.get("encoding-type") == "url" else escape(text)

    @property
    def encoding(self):
        return element("EncodingType", "url") if self.params.get("encoding-type") == "url" else ""

    @property
    def meta(self):
        return {k.lower(): v for k, v in self.headers.items() if k.lower().startswith("x-oss-meta-")}

    @property
    def forbids(self):
        return self.headers.get("x-oss-forbid-overwrite", "").lower() == "true"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    def now(self):
        return time.time() + self.server.ahead

    def date_time_string(self, timestamp=None):
        return formatdate(self.now(), usegmt=True)

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        self.send_header("x-oss-request-id", uuid.uuid4().hex[:24].upper())
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if "Content-Length" not in dict(headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def serve(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else b""
        if len(body) < length:  # the client went away
            self.close_connection = True
            return
        try:
            request = Request(self)
            request.body = body
            self.answer(*self.handle_request(request))
        except Refusal as refusal:
            self.refuse(refusal)
        except (ValueError, KeyError, IndexError, TypeError, ElementTree.ParseError) as error:
            self.refuse(Refusal(400, "InvalidArgument", f"malformed: {type(error).__name__}"))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    def refuse(self, refusal):
        fields = {"Code": refusal.code, "Message": refusal.message, "HostId": self.headers.get("host", ""),
                  "EC": "0000-00000000", **refusal.fields}
        body = document("Error", *(element(name, escape(str(value))) for name, value in fields.items()))
        headers = {"Content-Type": "application/xml", "x-oss-ec": fields["EC"]}
        if self.command == "HEAD":
            headers["x-oss-err"] = base64.b64encode(body).decode()
        self.answer(refusal.status, body, headers)

    # What is done; every method gives the arguments of `answer`.

    def handle_request(self, request):
        bucket = BUCKETS.get(request.bucket)
        if bucket is None:
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        by_host = request.host.endswith(".aliyuncs.com")
        home = f"oss-{bucket.region}.aliyuncs.com"
        if by_host and not request.host.endswith("." + home):
            raise Refusal(
                403, "AccessDenied", "The bucket you are attempting to access must be addressed using the specified "
                "endpoint. Please send all future requests to this endpoint.", Endpoint=home)
        verify(request, request.bucket, bucket, self.now())
        given = request.headers.get("content-md5")
        if given and given != digest(request.body):
            raise Refusal(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
        params = request.params
        what = request.method, request.key is not None
        with LOCK:
            if "uploads" in params:
                return {("POST", True): begin, ("GET", False): uploads}[what](bucket, request, self.now())
            if "uploadId" in params:
                return {("PUT", True): part, ("POST", True): join, ("DELETE", True): abort}[what](bucket, request)
            if "delete" in params and request.method == "POST":
                return delete_many(bucket, request)
            actions = {("PUT", True): put, ("GET", True): get, ("HEAD", True): get, ("DELETE", True): delete,
                       ("GET", False): listing}
            if what not in actions:
                raise Refusal(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
            return actions[what](bucket, request)


def store(bucket, request, data, kind, meta, etag):
    """Under the lock: of several writers that forbid to overwrite, one wins."""
    if request.forbids and bucket.honours and request.key in bucket.objects:
        raise Refusal(409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.")
    bucket.objects[request.key] = types.SimpleNamespace(
        data=data, kind=kind, meta=meta, etag=etag, at=formatdate(usegmt=True),
        storage_class=request.headers.get("x-oss-storage-class", "Standard"))
    return {"ETag": etag, **({"x-oss-version-id": uuid.uuid4().hex} if bucket.versions else {})}


def put(bucket, request):
    data = request.body
    headers = store(bucket, request, data, "Normal", request.meta, tag(data))
    return 200, b"", {**headers, "Content-MD5": digest(data)}


def found(bucket, request):
    if request.key not in bucket.objects:
        raise Refusal(404, "NoSuchKey", "The specified key does not exist.", Key=request.key)
    return bucket.objects[request.key]


def get(bucket, request):
    this = found(bucket, request)
    if request.headers.get("if-match", this.etag) != this.etag:
        raise Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
    headers = {"ETag": this.etag, "Last-Modified": this.at, "x-oss-object-type": this.kind, "Accept-Ranges": "bytes",
               "x-oss-storage-class": this.storage_class, "Content-Type": "application/octet-stream", **this.meta}
    if this.kind == "Normal":
        headers["Content-MD5"] = digest(this.data)
    size = len(this.data)
    if request.method == "HEAD":
        return 200, b"", {**headers, "Content-Length": str(size)}
    bounds = byte_range(request.headers.get("range"), size)
    is_standard = request.headers.get("x-oss-range-behavior") == "standard"
    if bounds is None:
        return 200, this.data, headers
    first, last = bounds
    if first >= size:
        if is_standard:
            raise Refusal(416, "InvalidRange", "The requested range cannot be satisfied.", ObjectSize=size)
        return 200, this.data, headers  # as the service does without that header
    if last >= size and not is_standard:
        return 200, this.data, headers
    last = min(last, size - 1)
    return 206, this.data[first:last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{size}"}


def byte_range(text, size):
    if not text or not text.startswith("bytes="):
        return None
    first, _, last = text[6:].partition("-")
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), int(last) if last else max(size - 1, int(first))


def delete(bucket, request):
    bucket.objects.pop(request.key, None)
    return 204, b"", {}


def delete_many(bucket, request):
    if not request.headers.get("content-md5"):
        raise Refusal(400, "MissingArgument", "Missing Some Required Arguments.", ArgumentName="Content-MD5")
    root = ElementTree.fromstring(request.body)
    keys = [node.findtext("Key") for node in root.findall("Object")]
    if not 1 <= len(keys) <= 1000:
        raise Refusal(400, "MalformedXML", "The XML you provided was not well-formed.")
    for key in keys:
        bucket.objects.pop(key, None)
    if root.findtext("Quiet") == "true":
        return 200, b"", {}
    deleted = (element("Deleted", element("Key", request.name(key))) for key in keys)
    return 200, document("DeleteResult", request.encoding, *deleted), {"Content-Type": "application/xml"}


def begin(bucket, request, now):
    if request.forbids and bucket.honours and request.key in bucket.objects:
        raise Refusal(409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.")
    upload_id = uuid.uuid4().hex.upper()
    bucket.uploads[upload_id] = types.SimpleNamespace(key=request.key, meta=request.meta, parts={}, at=now)
    body = document(
        "InitiateMultipartUploadResult", request.encoding, element("Bucket", request.bucket),
        element("Key", request.name(request.key)), element("UploadId", upload_id))
    return 200, body, {"Content-Type": "application/xml"}


def upload_of(bucket, request):
    upload = bucket.uploads.get(request.params["uploadId"])
    if upload is None or upload.key != request.key:
        raise Refusal(404, "NoSuchUpload", "The specified upload does not exist.", UploadId=request.params["uploadId"])
    return upload


def part(bucket, request):
    upload = upload_of(bucket, request)
    number = int(request.params["partNumber"])
    if not 1 <= number <= 10000:
        raise Refusal(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive.")
    upload.parts[number] = request.body
    return 200, b"", {"ETag": tag(request.body), "Content-MD5": digest(request.body)}


def join(bucket, request):
    upload = upload_of(bucket, request)
    named = [(int(node.findtext("PartNumber")), node.findtext("ETag"))
             for node in ElementTree.fromstring(request.body).findall("Part")]
    if [number for number, _ in named] != sorted({number for number, _ in named}):
        raise Refusal(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
    for index, (number, etag) in enumerate(named):
        if number not in upload.parts or etag.strip('"') != tag(upload.parts[number]).strip('"'):
            raise Refusal(400, "InvalidPart", "One or more of the specified parts could not be found.")
        if index + 1 < len(named) and len(upload.parts[number]) < LEAST_PART:
            raise Refusal(400, "EntityTooSmall", "Your proposed upload smaller than the minimum allowed size.")
    data = b"".join(upload.parts[number] for number, _ in named)
    etag = tag(b"".join(hashlib.md5(upload.parts[number]).digest() for number, _ in named))
    etag = f'{etag[:-1]}-{len(named)}"'
    headers = store(bucket, request, data, "Multipart", upload.meta, etag)
    del bucket.uploads[request.params["uploadId"]]
    body = document(
        "CompleteMultipartUploadResult", request.encoding, element("Bucket", request.bucket),
        element("Key", request.name(request.key)), element("ETag", escape(etag)))
    return 200, body, {**headers, "Content-Type": "application/xml"}


def abort(bucket, request):
    upload_of(bucket, request)
    del bucket.uploads[request.params["uploadId"]]
    return 204, b"", {}


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def uploads(bucket, request, _):
    prefix = request.params.get("prefix", "")
    listed = (
        element("Upload", element("Key", request.name(upload.key)), element("UploadId", upload_id),
                element("Initiated", iso(upload.at)))
        for upload_id, upload in bucket.uploads.items() if upload.key.startswith(prefix))
    body = document("ListMultipartUploadsResult", request.encoding, element("IsTruncated", "false"), *listed)
    return 200, body, {"Content-Type": "application/xml"}


def listing(bucket, request):
    params = request.params
    if params.get("list-type") != "2":
        raise Refusal(400, "InvalidArgument", "Only ListObjectsV2 is here.")
    prefix, delimiter = params.get("prefix", ""), params.get("delimiter", "")
    limit = int(params.get("max-keys") or 100)
    if not 1 <= limit <= 1000:
        raise Refusal(400, "InvalidArgument", "Argument max-keys must be an integer between 1 and 1000.")
    after, below = params.get("start-after", ""), None
    if params.get("continuation-token"):
        kind, name = base64.urlsafe_b64decode(params["continuation-token"]).decode().split(":", 1)
        after, below = (name, None) if kind == "key" else ("", name)
    entries = []
    is_truncated = False
    for key in sorted(bucket.objects, key=str.encode):
        if not key.startswith(prefix) or (after and key.encode() <= after.encode()):
            continue
        if below and (key.startswith(below) or key.encode() < below.encode()):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = ("key", key) if end < 0 else ("prefix", key[:end + len(delimiter)])
        if entries and entries[-1] == entry:
            continue
        if len(entries) == limit:
            is_truncated = True
            break
        entries.append(entry)
    content = [
        element("Name", request.bucket), element("Prefix", request.name(prefix)), element("MaxKeys", str(limit)),
        element("Delimiter", request.name(delimiter)), request.encoding,
        element("IsTruncated", str(is_truncated).lower()), element("KeyCount", str(len(entries)))]
    if is_truncated:
        token = base64.urlsafe_b64encode(":".join(entries[-1]).encode()).decode()
        content.append(element("NextContinuationToken", request.name(token)))
    for kind, name in entries:
        if kind == "prefix":
            content.append(element("CommonPrefixes", element("Prefix", request.name(name))))
            continue
        this = bucket.objects[name]
        content.append(element(
            "Contents", element("Key", request.name(name)), element("LastModified", iso(time.time())),
            element("ETag", escape(this.etag)), element("Type", this.kind), element("Size", str(len(this.data))),
            element("StorageClass", this.storage_class)))
    return 200, document("ListBucketResult", *content), {"Content-Type": "application/xml"}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    ahead = 0

    def handle_error(self, *_):
        if not isinstance(sys.exc_info()[1], (BrokenPipeError, ConnectionError, socket.timeout)):
            super().handle_error(*_)


def main():
    servers = [Server(("127.0.0.1", int(port)), Handler) for port in sys.argv[4:6]]
    servers[1].ahead = 3600
    threading.Thread(target=servers[1].serve_forever, daemon=True).start()
    servers[0].serve_forever()


main()
