"""Checks of the deployed process model: it must have what the service relies on, whatever its steps are. Pure."""

from collections.abc import Collection, Iterator
from xml.etree import ElementTree as ET

from api.upstreams.camunda.process_variables import DECIDER, names
from api.upstreams.camunda.records import PUBLICATION_WITHDRAWN, RESCHEDULE_MESSAGE, TOPICS, WITHDRAW_MESSAGE
from doctor.finding import Finding, ok, warning, wrong
from process_models.bpmn import EXTENSIONS, Offer, attribute, offers, parse, tag

ERROR_CODES = ("submission-superseded", "version-conflict")
(PUBLISH_AT,) = names("publish_at")
DEPLOY = "deploy a model that has it, `plan-api setup` deploys ours"


def judge_model(xml: str) -> Iterator[Finding]:
    """All findings on a model that is deployed."""
    root = parse(xml)
    yield from _topics(root)
    yield _present("message", {WITHDRAW_MESSAGE}, _caught_messages(root), "submissions cannot be withdrawn")
    yield _present(
        "error codes", set(ERROR_CODES), _caught_errors(root), "a process that raises it ends without an outcome"
    )
    if not _caught_errors(root) & {PUBLICATION_WITHDRAWN, ""}:
        message = f"{PUBLICATION_WITHDRAWN} missing, what is withdrawn after publication gave up ends at no end event"
        yield warning("error codes", f"{message}: {DEPLOY}")
    yield from _steps(root)
    yield from _unguarded(root)
    yield _timer(root)


def _topics(root: ET.Element) -> Iterator[Finding]:
    found = {attribute(element, "topic") or "" for element in root.iter() if attribute(element, "type") == "external"}
    by_expression = {topic for topic in found if topic.startswith(("${", "#{"))}
    if by_expression:
        message = f"{_listed(by_expression)} is worked out while the process runs; see that it comes to one of these"
        yield warning("topics", f"{message}: {_listed(set(TOPICS))}")
    if unknown := found - by_expression - set(TOPICS):
        yield wrong("topics", f"nobody carries out {_listed(unknown)}; this service knows {_listed(set(TOPICS))}")
    if (missing := set(TOPICS) - found) and not by_expression:
        yield wrong("topics", f"{_listed(missing)} missing, so drafts and plans are not written: {DEPLOY}")
    if found == set(TOPICS):
        yield ok("topics", _listed(found))


def _present(subject: str, wanted: set[str], caught: set[str], loss: str) -> Finding:
    missing = set() if "" in caught else wanted - caught
    return wrong(subject, f"{_listed(missing)} missing, {loss}: {DEPLOY}") if missing else ok(subject, _listed(wanted))


def _caught_messages(root: ET.Element) -> set[str]:
    """Names of the messages that any event waits for."""
    names = {message.get("id"): message.get("name", "") for message in root.iter(tag("message"))}
    events = root.iter(tag("messageEventDefinition"))
    return {names[event.get("messageRef")] for event in events if event.get("messageRef") in names} - {""}


def _caught_errors(root: ET.Element) -> set[str]:
    """Codes of the errors that any event catches; an empty one for an event that catches all."""
    codes = {error.get("id"): error.get("errorCode", "") for error in root.iter(tag("error"))}
    events = [*root.iter(tag("boundaryEvent")), *root.iter(tag("startEvent"))]
    caught = (definition for event in events for definition in event.iter(tag("errorEventDefinition")))
    return {codes.get(definition.get("errorRef"), "") for definition in caught}


def _steps(root: ET.Element) -> Iterator[Finding]:
    assigned = {task.get("id", "") for task in root.iter(tag("userTask")) if attribute(task, "assignee")}
    offered = offers(root)
    if not offered:
        yield wrong("steps", f"the model has no user task, so nobody reviews anything: {DEPLOY}")
    for step, offer in offered.items():
        if any(offer):
            yield ok("steps", f"{step} is offered to {_candidates(offer)}")
        elif step in assigned:
            yield ok("steps", f"{step} is for the person the model names")
        else:
            yield warning("steps", f"{step} is offered to nobody: give it candidateGroups or candidateUsers")


def _candidates(offer: Offer) -> str:
    by_name = f"{', '.join(offer.users)} by name" if offer.users else ""
    return " and ".join(part for part in (", ".join(offer.groups), by_name) if part)


def _unguarded(root: ET.Element) -> Iterator[Finding]:
    for task in root.iter(tag("userTask")):
        listeners = [each for namespace in EXTENSIONS for each in task.iter(f"{{{namespace}}}taskListener")]
        guards = [
            each for each in listeners if each.get("event") == "complete" and DECIDER in each.get("expression", "")
        ]
        if not guards:
            message = f"{task.get('id')} can be completed by its former assignee: copy our listeners with {DECIDER}"
            yield warning("steps", message)


def _timer(root: ET.Element) -> Finding:
    """A model without it works all the same: it publishes what is approved at once, and the approver is told so."""
    if not any(PUBLISH_AT in (time.text or "") for time in root.iter(tag("timeDate"))):
        message = f"none waits until {PUBLISH_AT}, so what is approved for later is published at once"
    elif RESCHEDULE_MESSAGE not in _caught_messages(root):
        message = f"no event waits for the message {RESCHEDULE_MESSAGE}, so nobody can move a publication that waits"
    else:
        return ok("timer", f"publication waits until {PUBLISH_AT}, {RESCHEDULE_MESSAGE} moves it")
    return warning("timer", f"{message}: {DEPLOY}")


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))
