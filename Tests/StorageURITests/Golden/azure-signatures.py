#!/usr/bin/env python3
"""Writes azure-signatures.json: requests as Microsoft's own libraries for Python make and sign them.

    python3 -m venv venv && venv/bin/pip install azure-storage-blob==12.31.1 azure-identity==1.27.0
    venv/bin/python azure-signatures.py

The requests are caught where they would have gone to the network. Time and key are fixed: a second run writes the same.
The assertions are made with azure-client.pem, a key for nothing else.
"""
import datetime
import json
import os
import urllib.parse

import azure.storage.blob._shared.policies as policies
from azure.core import MatchConditions
from azure.core.pipeline.transport import RequestsTransport
from azure.identity._credentials.certificate import get_client_credential
from azure.storage.blob import (AccountSasPermissions, BlobBlock, BlobServiceClient, ContainerSasPermissions,
                                ResourceTypes, generate_account_sas, generate_container_sas)
from msal.application import extract_certs
from msal.oauth2cli.assertion import JwtAssertionCreator

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "emVuaXRoLXRlc3Qta2V5LXplbml0aC10ZXN0LWtleS16ZW5pdGgtdGVzdC1rZXktemVuaXRoLXRlc3Qta2V5LQ=="
CONTAINER = "my-container"
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
END = datetime.datetime(2036, 1, 1, tzinfo=datetime.timezone.utc)
ID = "11111111-2222-3333-4444-555555555555"
SERVICES = {"zenithaccount": "https://zenithaccount.blob.core.windows.net",
            "devstoreaccount1": "http://127.0.0.1:10000/devstoreaccount1"}
NAMES = ["plain", "with space", "a/b//c", "a+b%2F=&?#", "'()*!,;:@$[]{}<>\"", "~tilde^`|", "back\\slash",
         "ümlaut/日本語", "e\u0301 \u00e9", "emoji-🐘", "dots...", "tab\there"]
SIGNED = ("content-", "if-", "x-ms-", "range", "date")

policies.time = lambda: 1790000000
cases, signatures = [], []


class Caught(Exception):
    pass


class Catcher(RequestsTransport):
    def send(self, request, **_):
        self.request = request
        raise Caught


def catch(account, name, operation, credential=KEY, blob=""):
    catcher = Catcher()
    service = BlobServiceClient(SERVICES[account], credential=credential, transport=catcher, retry_total=0)
    container = service.get_container_client(CONTAINER)
    try:
        operation(container.get_blob_client(blob) if blob else container)
    except Caught:
        pass
    request = catcher.request
    url = urllib.parse.urlsplit(request.url)
    headers = {n.lower(): str(v) for n, v in request.headers.items()}
    return {
        "name": name, "account": account, "method": request.method, "path": url.path, "query": url.query,
        "container": CONTAINER, "blob": blob, "bodyBytes": int(headers.get("content-length", 0)),
        "headers": sorted([n, v] for n, v in headers.items() if n.startswith(SIGNED) and n != "content-length"),
        "authorization": headers.get("authorization", "")}


def add(name, operation, blob=""):
    for account in SERVICES:
        cases.append(catch(account, name, operation, blob=blob))


def pages(items, **options):
    next(items.by_page(**options))


def block(text):
    return BlobBlock(block_id=text)


common = dict(client_request_id=ID)
for name in NAMES:
    add("put blob", lambda b: b.upload_blob(b"content", overwrite=False, metadata={"zenith_write": "a1"}, **common), name)
    add("get blob", lambda b: b.download_blob(offset=3, length=4, **common), name)
    add("delete blob", lambda b: b.delete_blob(delete_snapshots="include", **common), name)
add("put blob, empty", lambda b: b.upload_blob(b"", overwrite=True, **common), "empty")
add("head blob", lambda b: b.get_blob_properties(**common), "a b")
add("get blob, of one tag", lambda b: b.download_blob(
    offset=0, length=1 << 20, etag='"0x8D1"', match_condition=MatchConditions.IfNotModified, **common), "tagged")
add("put block", lambda b: b.stage_block("a+/b==", b"x" * 1000, validate_content=True, **common), "ümlaut/blocks")
add("put block list", lambda b: b.commit_block_list(
    [block("one"), block("two")], metadata={"zenith_write": "a1"}, match_condition=MatchConditions.IfMissing,
    **common), "ümlaut/blocks")
add("list", lambda c: pages(c.list_blobs(**common)))
add("list, many parameters", lambda c: pages(
    c.list_blobs(name_starts_with="a b/ü+&=%/", include=["metadata", "snapshots"], results_per_page=7, timeout=30,
                 **common), continuation_token="2!92!MDAwMDE0IWEgYi_8IS0tLQ--"))
add("list, with a delimiter", lambda c: pages(
    c.walk_blobs(name_starts_with="x/", delimiter="/", **common), continuation_token="a/+=="))
add("create container", lambda c: c.create_container(**common))

for account in SERVICES:
    tokens = {
        "account": generate_account_sas(
            account, KEY, resource_types=ResourceTypes(container=True, object=True),
            permission=AccountSasPermissions(read=True, write=True, delete=True, list=True), expiry=END, start=START,
            protocol="https"),
        "container": generate_container_sas(
            account, CONTAINER, account_key=KEY, permission=ContainerSasPermissions(read=True, list=True), expiry=END),
        "policy": generate_container_sas(account, CONTAINER, account_key=KEY, policy_id="backups"),
    }
    for name, token in tokens.items():
        request = catch(account, name, lambda b: b.download_blob(**common), token, "a b")
        signatures.append({"name": name, "token": token, "path": request["path"], "query": request["query"]})

assertions = []
for sends_chain in (False, True):
    credential = get_client_credential(os.path.join(HERE, "azure-client.pem"), send_certificate_chain=sends_chain)
    chain = {"x5c": extract_certs(credential["public_certificate"])} if sends_chain else {}
    creator = JwtAssertionCreator(
        credential["private_key"], "RS256", sha1_thumbprint=credential["thumbprint"], headers=chain)
    audience = "https://login.microsoftonline.com/zenith-tenant/oauth2/v2.0/token"
    assertion = creator.create_normal_assertion(
        audience, "zenith-client", "zenith-client", expires_at=1790000600, issued_at=1790000000, assertion_id=ID)
    assertions.append({"sendsChain": sends_chain, "assertion": assertion.decode()})

with open(os.path.join(HERE, "azure-signatures.json"), "w") as file:
    json.dump({"key": KEY, "requests": cases, "tokens": signatures, "assertions": assertions}, file, indent=1,
              ensure_ascii=False)
    file.write("\n")
print(len(cases), "requests,", len(signatures), "tokens,", len(assertions), "assertions")
