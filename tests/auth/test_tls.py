"""TLS to the systems behind: whom the API believes, and how it shows who it is. Before the real store and engine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api import settings as configuration
from api.errors import Misconfigured
from api.settings import Settings
from tests.auth.asking import audit, settings_with
from tests.auth.terminator import Authority, Issued, listening, terminating
from tests.commands.running import run
from tests.serving import REVIEWER, serving

STORE = '{ plan(id: "none-of-this-id") { versionId } }'
ENGINE = "{ pendingTasks(limit: 1) { totalCount } }"
DRAFTS = "{ drafts(limit: 1) { totalCount } }"


@dataclass(frozen=True)
class Papers:
    """Two authorities, and what each gave to a server at 127.0.0.1 and to a client."""

    ours: Authority
    others: Authority
    server: Issued
    client: Issued
    strange_client: Issued


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    ours, others = Authority(folder, "ours"), Authority(folder, "others")
    return Papers(ours, others, ours.issue("server"), ours.issue("client"), others.issue("client"))


@contextmanager
def before(url: str, server: Issued, clients_of: Authority | None = None) -> Iterator[str]:
    """The https:// address of a system that is served by http://."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    with terminating(listening(server, clients_of=clients_of), parts.hostname, parts.port) as port:
        yield f"https://127.0.0.1:{port}{parts.path}"


def asked(settings: Settings, query: str) -> dict[str, Any]:
    with serving(settings) as api:
        answer: dict[str, Any] = json.loads(api.post(query, REVIEWER).content)
        return answer


def answers(settings: Settings, query: str) -> bool:
    """Whether the system behind a list could be asked; if not, the answer must say so and nothing else."""
    answer = asked(settings, query)
    if "errors" not in answer:
        return True
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "UPSTREAM_UNREACHABLE"
    assert reduce(getitem, error["path"], answer["data"]) is None
    return False


def test_an_authority_of_our_own_is_believed_when_the_settings_name_it(settings: Settings, papers: Papers) -> None:
    with before(settings.aidbox_url, papers.server) as url:
        with_ours = settings_with(settings, auth="headers", aidbox_url=url, tls_ca_file=papers.ours.file)
        assert answers(with_ours, STORE)


@pytest.mark.parametrize("given", [{}, {"tls_ca_file": "others"}])
def test_no_other_is(settings: Settings, papers: Papers, given: dict[str, str]) -> None:
    named = {name: getattr(papers, authority).file for name, authority in given.items()}
    with before(settings.aidbox_url, papers.server) as url, audit() as log:
        assert not answers(settings_with(settings, auth="headers", aidbox_url=url, **named), STORE)
    failed = [vars(record) for record in log.records if record.getMessage() == "upstream call failed"]
    assert {str(each["upstream"]) for each in failed} == {"aidbox"}
    assert all("CERTIFICATE_VERIFY_FAILED" in str(each["reason"]) for each in failed)


def test_a_certificate_for_another_address_is_not_believed(settings: Settings, papers: Papers) -> None:
    elsewhere = papers.ours.issue("elsewhere", "127.0.0.2")
    with before(settings.aidbox_url, elsewhere) as url:
        with_ours = settings_with(settings, auth="headers", aidbox_url=url, tls_ca_file=papers.ours.file)
        assert not answers(with_ours, STORE)


@pytest.mark.parametrize(("system", "query"), [("aidbox", STORE), ("camunda", ENGINE)])
def test_a_system_that_demands_a_certificate(settings: Settings, papers: Papers, system: str, query: str) -> None:
    other = {"aidbox": "camunda", "camunda": "aidbox"}[system]

    def shown(whose: str, client: Issued) -> dict[str, object]:
        return {f"{whose}_tls_certificate": client.certificate, f"{whose}_tls_key": client.key}

    with before(getattr(settings, f"{system}_url"), papers.server, clients_of=papers.ours) as url:
        usual = {"auth": "headers", f"{system}_url": url, "tls_ca_file": papers.ours.file}
        assert answers(settings_with(settings, **usual, **shown(system, papers.client)), query)
        assert not answers(settings_with(settings, **usual), query)
        assert not answers(settings_with(settings, **usual, **shown(system, papers.strange_client)), query)
        assert not answers(settings_with(settings, **usual, **shown(other, papers.client)), query)


def test_the_drafts_database_by_its_own_address(settings: Settings) -> None:
    """The sandbox's PostgreSQL has no TLS, so an address that demands it can not be reached, and one that does is."""
    for mode, expected in (("prefer", True), ("require", False)):
        url = settings.retool_database_url.get_secret_value()
        url += f"{'&' if '?' in url else '?'}sslmode={mode}"
        assert answers(settings_with(settings, auth="headers", retool_database_url=url), DRAFTS) is expected


def wrong_files(papers: Papers) -> list[tuple[dict[str, Path], str]]:
    """Files that are there and are no good, and what is told of them."""
    client, strange = papers.client, papers.strange_client
    pair = "are no readable certificate and its key (PEM)"
    return [
        ({"tls_ca_file": client.key}, f"{client.key} is no readable file of certificates (PEM)"),
        (
            {"aidbox_tls_certificate": client.certificate, "aidbox_tls_key": strange.key},
            f"{client.certificate} and {strange.key} {pair}",
        ),
        (
            {"aidbox_tls_certificate": client.key, "aidbox_tls_key": client.key},
            f"{client.key} and {client.key} {pair}",
        ),
        (
            {"aidbox_tls_certificate": client.certificate, "aidbox_tls_key": client.locked},
            f"{client.certificate} and {client.locked} {pair}",
        ),
    ]


@pytest.mark.parametrize("case", range(4))
def test_files_that_are_no_good_stop_the_start(settings: Settings, papers: Papers, case: int) -> None:
    given, told = wrong_files(papers)[case]
    system = "CAMUNDA" if "tls_ca_file" in given else "AIDBOX"
    with pytest.raises(Misconfigured) as raised:
        settings_with(settings, auth="headers", **given)
    assert str(raised.value) == f"TLS_CA_FILE or {system}_TLS_… is wrong: {told}"


def test_the_command_line_tells_it_in_one_line(settings: Settings, papers: Papers) -> None:
    done = run(settings, "serve", AUTH="headers", TLS_CA_FILE=str(papers.client.key))
    told = f"TLS_CA_FILE or CAMUNDA_TLS_… is wrong: {papers.client.key} is no readable file of certificates (PEM)"
    assert (done.code, done.lines, done.errors) == (1, [], f"plan-api: {told}\n")


def test_nothing_turns_verification_off() -> None:
    names = " ".join(configuration.Settings.model_fields)
    assert "verify" not in names
    assert "insecure" not in names
