"""Fills a new Keystone: scripts/keystone.py URL SWIFT-PORT SECRET

Users: admin (project admin), swift (project service), lab (role member in project lab), all with the same password, in
domain Default. Prints NAME=VALUE lines.
"""
import sys

import requests

url, port, secret = sys.argv[1:]


def log_in(user, project):
    domain = {"id": "default"}
    password = {"user": {"name": user, "domain": domain, "password": secret}}
    scope = {"project": {"name": project, "domain": domain}}
    answer = requests.post(
        f"{url}/auth/tokens",
        json={"auth": {"identity": {"methods": ["password"], "password": password}, "scope": scope}},
    )
    answer.raise_for_status()
    return {"X-Auth-Token": answer.headers["X-Subject-Token"]}


admin = log_in("admin", "admin")


def make(path, kind, headers=admin, **fields):
    answer = requests.post(f"{url}/{path}", json={kind: fields}, headers=headers)
    answer.raise_for_status()
    return answer.json()[kind]


def role(name):
    found = requests.get(f"{url}/roles", params={"name": name}, headers=admin).json()["roles"]
    return found[0]["id"] if found else make("roles", "role", name=name)["id"]


projects = {name: make("projects", "project", name=name, domain_id="default")["id"] for name in ("service", "lab")}
users = {
    name: make("users", "user", name=name, password=secret, domain_id="default")["id"] for name in ("swift", "lab")
}
for project, user, name in (("service", "swift", "admin"), ("service", "swift", "service"), ("lab", "lab", "member")):
    path = f"{url}/projects/{projects[project]}/users/{users[user]}/roles/{role(name)}"
    requests.put(path, headers=admin).raise_for_status()
service = make("services", "service", type="object-store", name="swift")["id"]
for region, interface, host in (
    ("zenith-region", "public", "127.0.0.1"),
    ("zenith-region", "internal", "localhost"),
    ("other-region", "public", "other.invalid"),
):
    if not requests.get(f"{url}/regions/{region}", headers=admin).ok:
        make("regions", "region", id=region)
    make(
        "endpoints", "endpoint", interface=interface, service_id=service, region_id=region,
        url=f"http://{host}:{port}/v1/AUTH_%(project_id)s",
    )
credential = make(
    f"users/{users['lab']}/application_credentials", "application_credential", log_in("lab", "lab"), name="backup",
    secret=secret, roles=[{"name": "member"}],
)
print(f"PROJECT_ID={projects['lab']}")
print(f"USER_ID={users['lab']}")
print(f"APPLICATION_CREDENTIAL_ID={credential['id']}")
