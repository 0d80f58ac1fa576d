#!/usr/bin/env python3
"""Makes oss-signatures.json anew: the same requests, signed by the vendor's own clients.

    python3 -m venv env
    env/bin/pip install oss2==2.19.1 alibabacloud-oss-v2==1.4.1 alibabacloud-credentials==1.0.12
    env/bin/python oss-signatures.py >oss-signatures.json
"""
import datetime
import json
from urllib.parse import quote

import alibabacloud_oss_v2 as v2
import oss2
from alibabacloud_credentials.utils import parameter_helper
from alibabacloud_oss_v2 import types
from alibabacloud_oss_v2.signer import SignerV1, SignerV4
from oss2.credentials import StaticCredentialsProvider
from requests.structures import CaseInsensitiveDict

BUCKET, REGION = "examplebucket", "cn-hangzhou"
ACCESS_KEY, SECRET = "LTAI5tExampleKeyId", "s3cr3t/Example+Key="
TOKEN = "CAIS+token/with=signs"
TIMES = [1702743657, 1764288059, 1709164800]  # the last one is the 29th of February

ODD_KEYS = ["a/b/c.bin", "with space", "a+b", "100%", "%2F", "a?b#c", "a=b&c=d", "日本語/鍵", "e\u0301", "~t(i)l*d'e!", "//x"]
BODY_MD5 = "ICy5YqxZB1uWSwcVLSNLcA=="
META = ["x-oss-meta-zenith-write", "1f-2e"]
FORBID = ["x-oss-forbid-overwrite", "true"]

# name, method, key, items of the query, headers
REQUESTS = [(f"put {key}", "PUT", key, [], [["Content-MD5", BODY_MD5]]) for key in ODD_KEYS]
REQUESTS += [(f"put {key} if absent", "PUT", key, [], [["Content-MD5", BODY_MD5], META, FORBID]) for key in ODD_KEYS]
REQUESTS += [
    ("put with type and class", "PUT", "a", [], [["Content-Type", "text/plain"], ["x-oss-storage-class", "IA"]]),
    ("get", "GET", "a/b", [], []),
    ("get range", "GET", "a/b", [], [
        ["Range", "bytes=0-99"], ["x-oss-range-behavior", "standard"], ["If-Match", '"5D41402ABC4B2A76B9719D911017C592"']]),
    ("head", "HEAD", "a/b", [], []),
    ("delete", "DELETE", "a/b", [], []),
    ("begin", "POST", "a b", [["uploads", ""]], [META, FORBID]),
    ("part", "PUT", "a b", [["partNumber", "17"], ["uploadId", "0004B9895DBBB6EC98E36"]], [["Content-MD5", BODY_MD5]]),
    ("join", "POST", "a b", [["uploadId", "0004B9895DBBB6EC98E36"]], [
        ["Content-Type", "application/xml"], ["Content-MD5", BODY_MD5], FORBID]),
    ("abort", "DELETE", "a b", [["uploadId", "0004B9895DBBB6EC98E36"]], []),
    ("list uploads", "GET", None, [["uploads", ""], ["prefix", "a b/ü"], ["encoding-type", "url"]], []),
    ("list", "GET", None, [
        ["list-type", "2"], ["prefix", "a+b/ü &=?"], ["max-keys", "1000"], ["encoding-type", "url"], ["delimiter", "/"],
        ["start-after", "a+b/ü &=?/~'()*!"]], []),
    ("list on", "GET", None, [
        ["list-type", "2"], ["prefix", ""], ["max-keys", "7"], ["continuation-token", "a2V5OmEvYg=="]], []),
    ("delete many", "POST", None, [["delete", ""], ["encoding-type", "url"]], [
        ["Content-Type", "application/xml"], ["Content-MD5", BODY_MD5]]),
]


def case(name, origin, version, when, token, method, key, items, headers, authorization, **more):
    return {
        "name": name, "origin": origin, "version": version, "region": REGION, "time": when, "accessKey": ACCESS_KEY,
        "secretKey": SECRET, "token": token, "method": method, "bucket": BUCKET, "key": key, "items": items,
        "headers": headers, "authorization": authorization, "additional": [], **more}


class Frozen(datetime.datetime):
    now_is = None

    @classmethod
    def utcnow(cls):
        return cls.now_is


def by_oss2(version, when, token, method, key, items, headers):
    Frozen.now_is = datetime.datetime.fromtimestamp(when, datetime.timezone.utc)
    oss2.auth.datetime = Frozen
    oss2.auth.utils.http_date = lambda *_: Frozen.now_is.strftime("%a, %d %b %Y %H:%M:%S GMT")
    provider = StaticCredentialsProvider(ACCESS_KEY, SECRET, token)
    signer = oss2.ProviderAuthV4(provider) if version == "v4" else oss2.ProviderAuth(provider)
    request = oss2.http.Request(
        method, "http://host/", headers=CaseInsensitiveDict(headers), params=dict(items), product="oss", region=REGION)
    for name in ["User-Agent", "Accept-Encoding"]:
        request.headers.pop(name, None)
    signer._sign_request(request, BUCKET, key or "")
    return request.headers["authorization"]


def by_v2(version, when, token, method, key, items, headers, additional=None):
    query = "&".join(quote(k, safe="") + (f"={quote(v, safe='')}" if v else "") for k, v in items)
    request = types.HttpRequest(method, "http://host/" + (f"?{query}" if query else ""))
    request.headers = CaseInsensitiveDict(headers)
    context = types.SigningContext(
        product="oss", region=REGION, bucket=BUCKET, key=key or "", request=request,
        credentials=v2.credentials.Credentials(ACCESS_KEY, SECRET, token),
        signing_time=datetime.datetime.fromtimestamp(when, datetime.timezone.utc))
    context.additional_headers = additional
    (SignerV4() if version == "v4" else SignerV1()).sign(context)
    return request.headers["Authorization"]


def requests():
    for index, (name, *request) in enumerate(REQUESTS):
        when = TIMES[index % len(TIMES)]
        for version in ["v4", "v1"]:
            for token in [None, TOKEN]:
                told = name + (", temporary keys" if token else "")
                yield case(told, "oss2", version, when, token, *request, by_oss2(version, when, token, *request))
                # The newer client sends the token of version 1 in a header that is not the documented one.
                if version == "v4" or not token:
                    made = by_v2(version, when, token, *request)
                    yield case(told, "alibabacloud-oss-v2", version, when, token, *request, made)
    # With further headers signed.
    request = ["GET", "a/b", [], [["Range", "bytes=0-99"], ["If-Match", '"5D41"'], ["x-oss-range-behavior", "standard"]]]
    names = ["if-match", "range"]
    yield case("additional headers", "alibabacloud-oss-v2", "v4", TIMES[0], None, *request,
               by_v2("v4", TIMES[0], None, *request, additional=set(names)), additional=names)
    yield from published()


def published():
    """What the vendor has published with a signature."""
    # The documentation of version 1.
    example = case(
        "documentation of version 1", "published", "v1", 1132253398, None, "PUT", "nelson", [], [
            ["Content-MD5", "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM="], ["Content-Type", "text/html"],
            ["X-OSS-Meta-Author", "foo@bar.com"], ["X-OSS-Magic", "abracadabra"]],
        "OSS 44CF9590006BF252F707:26NBxoKdsyly4EDv6inkoDft/yA=", bucket="oss-example",
        accessKey="44CF9590006BF252F707", secretKey="OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV")
    yield example
    # The tests of the vendor's clients.
    items = [["param1", "value1"], ["+param1", "value3"], ["|param1", "value4"], ["+param2", ""], ["|param2", ""],
             ["param2", ""]]
    headers = [["x-oss-head1", "value"], ["abc", "value"], ["ZAbc", "value"], ["XYZ", "value"],
               ["content-type", "text/plain"]]
    for when, day, token, names, signature in [
        (1702743657, "20231216", None, [], "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"),
        (1702784856, "20231217", "token", [], "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea"),
        (1702747512, "20231216", None, ["abc", "zabc"],
         "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f"),
    ]:
        listed = f",AdditionalHeaders={';'.join(names)}" if names else ""
        yield case(
            f"test of the clients at {when}", "published", "v4", when, token, "PUT", "1234+-/123/1.txt", items, headers,
            f"OSS4-HMAC-SHA256 Credential=ak/{day}/cn-hangzhou/oss/aliyun_v4_request{listed},Signature={signature}",
            bucket="bucket", accessKey="ak", secretKey="sk", additional=names)


def calls():
    """Calls to STS."""
    for number, token in enumerate([None, TOKEN]):
        fields = {
            "Action": "AssumeRole", "Format": "JSON", "Version": "2015-04-01", "DurationSeconds": "3600",
            "RoleArn": "acs:ram::1234567890:role/backup~role", "RoleSessionName": "zenith@host.example-1",
            "Timestamp": "2026-01-02T03:04:05Z", "ExternalId": "a/b:c=d&e"}
        added = {"SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": f"nonce-{number}",
                 "AccessKeyId": ACCESS_KEY}
        if token:
            added["SecurityToken"] = token
        text = parameter_helper.compose_string_to_sign("POST", {**fields, **added})
        yield {"fields": list(map(list, fields.items())), "accessKey": ACCESS_KEY, "secretKey": SECRET, "token": token,
               "nonce": f"nonce-{number}", "signature": parameter_helper.sign_string(text, SECRET + "&")}


print(json.dumps({"requests": list(requests()), "calls": list(calls())}, indent=1, ensure_ascii=False))
