"""compose.yaml against what it refers to: our settings and commands, the example environment, the databases.

That the images and their variables are as it says is not tested here: that takes Docker.
"""

import hashlib
import re

from typer.main import get_command

from api import settings as configuration
from api.__main__ import app
from tests.deploy.compose import CODE, EXAMPLE, TEXT, api_environment, variables
from tests.deploy.dockerfile import ROOT

TRIAL_KEY = re.findall(r'"X-API-Key": "([^"]+)"', TEXT)[0]


def test_what_it_sets_makes_settings() -> None:
    given = {name.lower(): value for name, value in api_environment().items()}
    assert set(given) <= set(configuration.Settings.model_fields)
    made = configuration.read(_env_file=None, host="0.0.0.0", **given)  # noqa: S104  # as the image has it
    assert (made.auth, made.worker) == (frozenset({"gateway"}), False)


def test_the_key_it_names_is_the_one_it_accepts() -> None:
    keys = configuration.read(
        _env_file=None, **{name.lower(): value for name, value in api_environment().items()}
    ).gateway_keys
    assert [(key.name, key.digest, key.trusted) for key in keys] == [
        ("tryout", hashlib.sha256(TRIAL_KEY.encode()).hexdigest(), False)
    ]
    assert TRIAL_KEY in (ROOT / "deploy" / "example.env").read_text("utf-8")


def test_the_example_names_every_variable_with_its_default() -> None:
    assert variables() | {("COMPOSE_PROFILES", "hapi")} == set(EXAMPLE.items())


def test_its_commands_are_ours() -> None:
    named = set(re.findall(r"^    command: \[(\w+)\]", CODE, re.MULTILINE))
    assert named == {"setup", "worker"}
    assert named | {"check", "key"} <= set(get_command(app).commands)  # type: ignore[attr-defined]  # it is a group


def test_every_port_is_this_machines_alone() -> None:
    published = re.findall(r"^    ports: \[(.*)\]", CODE, re.MULTILINE)
    assert len(published) == 5
    assert [ports for ports in published if not re.fullmatch(r'"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+"', ports)] == []


def test_engine_and_store_refuse_other_sites() -> None:
    """By settings of the images: the engine asks for the password that the API has, and both allow their own origin."""
    engine, hapi = (
        re.findall(rf"^  {name}:\n((?:    .*\n|\n)+)", CODE, re.MULTILINE)[0] for name in ("engine", "hapi")
    )
    assert re.findall(r"OPERATON_BPM_(?:RUN_AUTH|RUN_CORS|ADMINUSER)\w*: .*", engine) == [
        "OPERATON_BPM_ADMINUSER_PASSWORD: ${ENGINE_PASSWORD:-tryout-engine}",
        'OPERATON_BPM_RUN_AUTH_ENABLED: "true"',
        'OPERATON_BPM_RUN_CORS_ENABLED: "true"',
        "OPERATON_BPM_RUN_CORS_ALLOWEDORIGINS: http://127.0.0.1:${ENGINE_PORT:-8080}",
    ]
    assert re.findall(r"HAPI_FHIR_CORS\w*: .*", hapi) == [
        "HAPI_FHIR_CORS_ALLOWEDORIGIN: http://127.0.0.1:${STORE_PORT:-8081}"
    ]
    api = api_environment()
    assert (api["CAMUNDA_USERNAME"], api["CAMUNDA_PASSWORD"]) == ("demo", "tryout-engine")


def test_every_image_has_a_version() -> None:
    images = set(re.findall(r"^ +image: (\S+)", CODE, re.MULTILINE))
    assert images == {
        "plan-api",  # built here
        "postgres:18",
        "operaton/operaton:1.0.3",
        "hapiproject/hapi:v8.8.0-1",
        "healthsamurai/aidboxone:2605",
    }


def test_every_database_it_names_is_made() -> None:
    named = set(re.findall(r"postgres:5432/(\w+)", CODE)) | set(re.findall(r"BOX_DB_DATABASE: (\w+)", CODE))
    script = (ROOT / "deploy" / "databases.sql").read_text("utf-8")
    made = set(re.findall(r"^CREATE DATABASE (\w+);$", script, re.MULTILINE))
    assert made | set(re.findall(r"POSTGRES_DB: (\w+)", CODE)) == named
