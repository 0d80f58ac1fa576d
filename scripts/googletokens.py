#!/usr/bin/env python3
"""Google's token services on one loopback port, which verify what they are sent by Google's own library.

    googletokens.py PORT DIR

POST /token             an assertion of a service account, or a user's refresh token
POST /sts               a token of another identity provider
POST /act/EMAIL:generateAccessToken
GET /computeMetadata/…  the instance's metadata
POST /upstream          HOST:PORT of a service that all other requests go to, if they have a token made here
POST /expire            no token made so far is accepted any more

In DIR it writes files of credentials: service.json and wrong.json (the same account, another key), user.json,
federated-file.json, federated-url.json, federated-wrong.json, impersonated.json.
"""
import http.client
import json
import os
import secrets
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

port, directory = int(sys.argv[1]), sys.argv[2]
here = f"http://127.0.0.1:{port}"
account = "zenith@zenith-test.iam.gserviceaccount.com"
audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider"
lifetime = 3600
issued, upstream = set(), []


def make_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public


account_key, account_public = make_key()
other_key, _ = make_key()
provider_key, provider_public = make_key()


def subject_token(key):
    now = int(time.time())
    claims = {"iss": "https://provider.example", "aud": audience, "sub": "machine", "iat": now, "exp": now + 86400}
    return jwt.encode(crypt.RSASigner.from_string(key), claims).decode()


def write(name, content):
    with open(os.path.join(directory, name), "w") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))


def service_file(key):
    return {
        "type": "service_account", "project_id": "zenith-test", "private_key_id": "key-1", "private_key": key,
        "client_email": account, "client_id": "1", "token_uri": f"{here}/token", "universe_domain": "googleapis.com"}


def federated_file(source):
    return {
        "type": "external_account", "audience": audience, "token_url": f"{here}/sts",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source}


user_file = {
    "type": "authorized_user", "client_id": "zenith-client", "client_secret": "zenith-client-secret",
    "refresh_token": "zenith-refresh-token", "token_uri": f"{here}/token", "quota_project_id": "zenith-billed"}
act_url = f"{here}/act/{account}:generateAccessToken"
write("service.json", service_file(account_key))
write("wrong.json", service_file(other_key))
write("user.json", user_file)
write("subject", subject_token(provider_key))
write("wrong-subject", subject_token(other_key))
write("federated-file.json", federated_file({"file": os.path.join(directory, "subject")}))
write("federated-wrong.json", federated_file({"file": os.path.join(directory, "wrong-subject")}))
write("federated-url.json", {
    **federated_file({
        "url": f"{here}/subject", "headers": {"X-Proof": "machine"},
        "format": {"type": "json", "subject_token_field_name": "token"}}),
    "service_account_impersonation_url": act_url})
write("impersonated.json", {
    "type": "impersonated_service_account", "service_account_impersonation_url": act_url, "delegates": [],
    "source_credentials": user_file})


class Refused(Exception):
    pass


def expect(condition, words):
    if not condition:
        raise Refused(words)


def verify(token, public, audiences):
    try:
        return jwt.decode(token, certs=public, audience=audiences)
    except Exception as error:
        raise Refused(f"Invalid JWT: {error}")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def token(self):
        token = "zenith-" + secrets.token_hex(16)
        issued.add(token)
        return token

    def has_token(self):
        words = self.headers.get("Authorization", "").split(" ")
        return len(words) == 2 and words[0] == "Bearer" and words[1] in issued

    def exchange(self, form):
        kind = form.get("grant_type")
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            claims = verify(form.get("assertion", ""), account_public, ["https://oauth2.googleapis.com/token"])
            expect(claims["iss"] == account, "unknown account")
            expect(claims["scope"].startswith("https://www.googleapis.com/auth/"), "no scope")
            expect(claims["exp"] - claims["iat"] <= 3600, "Token must be a short-lived token")
        elif kind == "refresh_token":
            for name in ("client_id", "client_secret", "refresh_token"):
                expect(form.get(name) == user_file[name], f"bad {name}: {form.get(name)}")
        else:
            raise Refused("unsupported grant")
        return {"access_token": self.token(), "expires_in": lifetime, "token_type": "Bearer"}

    def federate(self, form):
        expect(form.get("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange", "grant_type")
        expect(form.get("audience") == audience, "audience")
        expect(form.get("requested_token_type") == "urn:ietf:params:oauth:token-type:access_token", "requested_token_type")
        expect(form.get("subject_token_type") == "urn:ietf:params:oauth:token-type:jwt", "subject_token_type")
        expect(form.get("scope", "").startswith("https://www.googleapis.com/auth/"), "scope")
        expect(verify(form.get("subject_token", ""), provider_public, [audience])["sub"] == "machine", "subject")
        return {"access_token": self.token(), "expires_in": lifetime, "token_type": "Bearer"}

    def act(self, body):
        request = json.loads(body)
        expect(request["scope"] == ["https://www.googleapis.com/auth/devstorage.read_write"], "scope")
        expect(request["lifetime"].endswith("s") and request["delegates"] == [], "lifetime or delegates")
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lifetime))
        return {"accessToken": self.token(), "expireTime": end}

    def forward(self, body):
        if not self.has_token():
            self.answer(401, {"error": {"code": 401, "message": "Invalid Credentials",
                                        "errors": [{"reason": "authError"}]}})
            return
        connection = http.client.HTTPConnection(upstream[-1])
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        connection.request(self.command, self.path, body or None, headers)
        response = connection.getresponse()
        content = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urllib.parse.urlsplit(self.path).path
        form = {name: values[0] for name, values in urllib.parse.parse_qs(body.decode("latin-1")).items()} \
            if path in ("/token", "/sts") else {}
        try:
            if path == "/token":
                self.answer(200, self.exchange(form))
            elif path == "/sts":
                self.answer(200, self.federate(form))
            elif path == "/subject":
                expect(self.headers.get("X-Proof") == "machine", "X-Proof")
                self.answer(200, {"token": subject_token(provider_key), "expires": 1})
            elif path.startswith("/act/"):
                if not self.has_token():
                    self.answer(403, {"error": {"code": 403, "message": "Permission denied",
                                                "status": "PERMISSION_DENIED"}})
                else:
                    self.answer(200, self.act(body))
            elif path.startswith("/computeMetadata/v1/instance/service-accounts/default/"):
                if self.headers.get("Metadata-Flavor") != "Google":
                    self.answer(403, {"error": "missing Metadata-Flavor"})
                elif path.endswith("/email"):
                    self.answer(200, account.encode())
                else:
                    self.answer(200, {"access_token": self.token(), "expires_in": lifetime, "token_type": "Bearer"})
            elif path == "/upstream":
                upstream.append(body.decode())
                self.answer(200, {})
            elif path == "/expire":
                issued.clear()
                self.answer(200, {})
            else:
                self.forward(body)
        except Refused as refusal:
            self.answer(400, {"error": "invalid_grant", "error_description": str(refusal)})

    do_GET = do_POST = do_PUT = do_DELETE = handle_request


ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
