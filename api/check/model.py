"""The deployed model, looked at: does it have what the code of this service relies on, whatever its steps are. Pure."""

from collections.abc import Collection, Iterator
from xml.etree import ElementTree as ET

from api.check.finding import Finding, ok, warning, wrong
from api.upstreams.engine import BPMN, EXTENSION, PUBLICATION_WITHDRAWN, TOPICS, WITHDRAW_MESSAGE, offered_groups

ERROR_CODES = ("submission-superseded", "version-conflict")
GUARD = "decider"
DEPLOY = "deploy a model that has it, `plan-api setup` deploys ours"


def judge_model(xml: str) -> Iterator[Finding]:
    """What is to be said of a model the engine has taken."""
    root = ET.fromstring(xml)  # noqa: S314  # our own engine's, with expat's limits
    yield from _topics(root)
    yield _present("message", {WITHDRAW_MESSAGE}, _caught_messages(root), "submissions can not be withdrawn")
    yield _present(
        "error codes", set(ERROR_CODES), _caught_errors(root), "a process that raises it ends without an outcome"
    )
    if not _caught_errors(root) & {PUBLICATION_WITHDRAWN, ""}:
        told = f"{PUBLICATION_WITHDRAWN} missing, what is withdrawn after publication gave up ends at no end event"
        yield warning("error codes", f"{told}: {DEPLOY}")
    yield from _steps(root, xml)
    yield from _unguarded(root)


def _topics(root: ET.Element) -> Iterator[Finding]:
    found = {
        element.get(_extension("topic"), "") for element in root.iter() if element.get(_extension("type")) == "external"
    }
    by_expression = {topic for topic in found if topic.startswith(("${", "#{"))}
    if by_expression:
        told = f"{_listed(by_expression)} is worked out while the process runs; see that it comes to one of these"
        yield warning("topics", f"{told}: {_listed(set(TOPICS))}")
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
    """Names of the messages that some event waits for."""
    names = {message.get("id"): message.get("name", "") for message in root.iter(_bpmn("message"))}
    events = root.iter(_bpmn("messageEventDefinition"))
    return {names[event.get("messageRef")] for event in events if event.get("messageRef") in names} - {""}


def _caught_errors(root: ET.Element) -> set[str]:
    """Codes of the errors that some event catches; an empty one for an event that catches all."""
    codes = {error.get("id"): error.get("errorCode", "") for error in root.iter(_bpmn("error"))}
    events = [*root.iter(_bpmn("boundaryEvent")), *root.iter(_bpmn("startEvent"))]
    caught = (definition for event in events for definition in event.iter(_bpmn("errorEventDefinition")))
    return {codes.get(definition.get("errorRef"), "") for definition in caught}


def _steps(root: ET.Element, xml: str) -> Iterator[Finding]:
    groups = offered_groups(xml)
    people = (_extension("assignee"), _extension("candidateUsers"))
    assigned = {task.get("id", "") for task in root.iter(_bpmn("userTask")) if any(task.get(name) for name in people)}
    if not groups:
        yield wrong("steps", f"the model has no user task, so nobody reviews anything: {DEPLOY}")
    for step, offered in groups.items():
        if offered:
            yield ok("steps", f"{step} is offered to {', '.join(offered)}")
        elif step in assigned:
            yield ok("steps", f"{step} is for the person the model names")
        else:
            yield warning("steps", f"{step} is offered to nobody: give it camunda:candidateGroups")


def _unguarded(root: ET.Element) -> Iterator[Finding]:
    for task in root.iter(_bpmn("userTask")):
        listeners = task.iter(_extension("taskListener"))
        guards = [each for each in listeners if each.get("event") == "complete" and GUARD in each.get("expression", "")]
        if not guards:
            told = f"{task.get('id')} can be completed by who has just lost it: copy our listeners with {GUARD}"
            yield warning("steps", told)


def _bpmn(name: str) -> str:
    return f"{{{BPMN}}}{name}"


def _extension(name: str) -> str:
    return f"{{{EXTENSION}}}{name}"


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))
