"""The client of the process engine: its routes. Any engine with Camunda 7's REST API (Operaton, CIB seven) will do.

What the engine answers on errors is not
reliable (a lost race may be 400, 404 or 500), so writes report `Gone` for all of these: read again, then decide.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from api.errors import Declined, Gone, UpstreamFailed
from api.upstreams.camunda.ownership import Ownership
from api.upstreams.camunda.process_variables import (
    COMMENT_PREFIX,
    DECISION_PREFIX,
    MOVE_PREFIX,
    VARIABLES,
    Comment,
    Decision,
    Move,
    ProcessVariables,
    Scalar,
    Variables,
    comments_in,
    condition,
    decisions_in,
    instant,
    moves_in,
    typed,
    written,
)
from api.upstreams.camunda.records import (
    RESCHEDULE_MESSAGE,
    TOPICS,
    WITHDRAW_MESSAGE,
    ExternalTask,
    LockedTask,
    ProcessInstance,
    Task,
    concerns,
    plausible,
)
from process_models.bpmn import Offer, offers_in
from resilience.http.call import Upstream
from resilience.http.request import Params

SUSPENDED = "ENGINE-03043"  # of the engine, for a definition or an instance
PAGE = 5000  # of lists that are read to their end
# What the engine's update of a task overwrites, beside its dates and its priority.
_ATTRIBUTES = (
    "name",
    "description",
    "assignee",
    "owner",
    "delegationState",
    "parentTaskId",
    "caseInstanceId",
    "tenantId",
)

_BY_INSTANCE_AND_NAME = [
    {"sortBy": "instanceId", "sortOrder": "asc"},
    {"sortBy": "variableName", "sortOrder": "asc"},
]


class _PastTask(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str | None
    task_definition_key: str
    process_instance_id: str
    process_definition_id: str
    assignee: str | None
    priority: int
    start_time: datetime
    due: datetime | None = None
    follow_up: datetime | None = None
    end_time: datetime | None = None
    delete_reason: str | None = None


class _HistoricVariable(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    process_instance_id: str
    process_definition_key: str
    value: Any = None
    task_id: str | None = None


class _Timer(msgspec.Struct, frozen=True, rename="camel"):
    process_instance_id: str
    due_date: datetime


class _Identified(msgspec.Struct, frozen=True):
    id: str


class _Counted(msgspec.Struct, frozen=True):
    count: int


class _Version(msgspec.Struct, frozen=True):
    version: str


class _DefinitionXml(msgspec.Struct, frozen=True, rename="camel"):
    bpmn20_xml: str = msgspec.field(name="bpmn20Xml")


class _Problem(msgspec.Struct, frozen=True):
    type: str | None = None
    message: str | None = None


class Camunda:
    """The engine's routes. Every method raises UpstreamFailed when the engine can not be asked.

    Tasks and processes of others are as if they were not there; `own` says which are ours.
    """

    def __init__(self, engine: Upstream, own: Ownership) -> None:
        self.engine = engine
        self.own = own

    # Reading: user tasks

    async def task(self, task_id: str) -> Task | None:
        """An open task, or None when there is none of this id (any longer)."""
        if not plausible([task_id]):
            return None
        found = await self.tasks({"taskId": task_id}, limit=1)
        return found[0] if found else None

    async def tasks(
        self,
        query: Mapping[str, object],
        *,
        limit: int,
        offset: int = 0,
        sorting: Sequence[Mapping[str, object]] = (),
    ) -> list[Task]:
        """A page of our open tasks that match the engine's own query fields, in a stable order."""
        return await self._tasks(self.own.tasks(query), limit=limit, offset=offset, sorting=sorting)

    async def _tasks(
        self, query: Mapping[str, object], *, limit: int, offset: int, sorting: Sequence[Mapping[str, object]]
    ) -> list[Task]:
        body = {**query, "sorting": [*sorting, {"sortBy": "id", "sortOrder": "asc"}]}
        params: Params = {"maxResults": limit, "firstResult": offset}
        return self.engine.decode(
            await self.engine.call("POST", "/task", body=body, idempotent=True, params=params), list[Task]
        )

    async def task_count(self, query: Mapping[str, object]) -> int:
        """The number of our open tasks that match."""
        body = self.own.tasks(query)
        return self.engine.decode(
            await self.engine.call("POST", "/task/count", body=body, idempotent=True), _Counted
        ).count

    async def past_task(self, task_id: str) -> Task | None:
        """A task of ours by the history, open or not; None when the engine never had it."""
        if not plausible([task_id]):
            return None
        found = await self.past_tasks({"taskId": task_id}, limit=1)
        return found[0] if found else None

    async def past_tasks(
        self, query: Mapping[str, object], *, limit: int, sorting: Sequence[Mapping[str, object]] = ()
    ) -> list[Task]:
        """Tasks of ours by the history, open or not, that match the engine's own query fields. A request for each key.

        `limit`: of the tasks of each process definition.
        """
        params: Params = {"maxResults": limit}
        bodies = [{**narrowed, "sorting": sorting} for narrowed in self.own.past_tasks(query)]
        answers = await asyncio.gather(
            *(self.engine.call("POST", "/history/task", body=body, idempotent=True, params=params) for body in bodies)
        )
        return [_from_history(past) for each in answers for past in self.engine.decode(each, list[_PastTask])]

    async def open_tasks_by_process(self, process_ids: Sequence[str]) -> dict[str, list[Task]]:
        """The open tasks of each process of our models, oldest first."""
        asked = plausible(process_ids)
        if not asked:
            return {}
        query = {**self.own.of_our_keys, "processInstanceIdIn": asked}
        by_age = [{"sortBy": "created", "sortOrder": "asc"}]
        grouped: dict[str, list[Task]] = {process_id: [] for process_id in asked}
        for task in await self._all_tasks(query, by_age):
            grouped[task.process_instance_id].append(task)
        return grouped

    async def claimable(self, task_ids: Sequence[str], user_id: str, groups: Iterable[str]) -> dict[str, Task]:
        """Those of these open tasks that are assigned to the user or offered to one of the groups, claimed or not."""
        asked = plausible(task_ids)
        if not asked:
            return {}
        query = {"taskIdIn": asked, "orQueries": [concerns(user_id, groups)]}
        return {task.id: task for task in await self.tasks(query, limit=len(asked))}

    async def _all_tasks(self, query: Mapping[str, object], sorting: Sequence[Mapping[str, str]]) -> list[Task]:
        found = await self._tasks(query, limit=PAGE, offset=0, sorting=sorting)
        while len(found) % PAGE == 0 and found:
            following = await self._tasks(query, limit=PAGE, offset=len(found), sorting=sorting)
            if not following:
                break
            found += following
        return found

    # Reading: processes

    async def processes_by_id(self, process_ids: Sequence[str]) -> dict[str, ProcessInstance]:
        """Running and ended instances of our models, by id. Whether they are a draft's, `own.links` says."""
        asked = plausible(process_ids)
        if not asked:
            return {}
        found = await self._processes({**self.own.of_our_keys, "processInstanceIds": asked}, limit=len(asked))
        return {process.id: process for process in found}

    async def processes(self, query: Mapping[str, object], *, limit: int, offset: int = 0) -> list[ProcessInstance]:
        """Running and ended instances of ours that match the engine's own query fields."""
        return await self._processes(self.own.processes(query), limit=limit, offset=offset)

    async def active_process(self, draft_id: str) -> ProcessInstance | None:
        """The oldest running submission of a draft; the engine itself allows more than one."""
        query = {
            "processInstanceBusinessKey": draft_id,
            "variables": [condition("draft_id", draft_id)],
            "unfinished": True,
            "sorting": [{"sortBy": "startTime", "sortOrder": "asc"}],
        }
        found = await self.processes(query, limit=1)
        return found[0] if found else None

    async def _processes(self, query: Mapping[str, object], *, limit: int, offset: int = 0) -> list[ProcessInstance]:
        params: Params = {"maxResults": limit, "firstResult": offset}
        response = await self.engine.call(
            "POST", "/history/process-instance", body=query, idempotent=True, params=params
        )
        return self.engine.decode(response, list[ProcessInstance])

    async def variables_by_process(
        self, process_ids: Sequence[str], names: Sequence[str] = VARIABLES
    ) -> dict[str, ProcessVariables]:
        """The named variables of running and ended processes of our models, by process id. Absent: those with none."""
        found = await self.values_by_process(process_ids, names)
        return {process_id: ProcessVariables.read(values) for process_id, values in found.items() if values}

    async def values_by_process(self, process_ids: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Scalar]]:
        """As above by the engine's names, for variables that another's model may name."""
        asked = plausible(process_ids)
        # Each is there once, or a few times where an activity has one of its own: nearly always one page.
        return await self._variables(
            asked, {"variableNameIn": list(names)}, page=max(PAGE, len(asked) * len(names) + 1)
        )

    async def decisions_by_process(self, process_ids: Sequence[str]) -> dict[str, dict[str, Decision]]:
        """The decisions made in processes: process id → (task id → decision), oldest first."""
        found = await self._variables(plausible(process_ids), {"variableNameLike": f"{DECISION_PREFIX}%"})
        return {process_id: decisions_in(values) for process_id, values in found.items()}

    async def comments_by_process(self, process_ids: Sequence[str]) -> dict[str, dict[str, Comment]]:
        """The comments written on processes: process id → (comment id → comment), oldest first."""
        found = await self._variables(plausible(process_ids), {"variableNameLike": f"{COMMENT_PREFIX}%"})
        return {process_id: comments_in(values) for process_id, values in found.items()}

    async def said_in(self, process_id: str) -> tuple[dict[str, Decision], dict[str, Comment]]:
        """The decisions and comments of one process, as above, read at once with all its variables."""
        values = (await self._variables(plausible([process_id]), {})).get(process_id, {})
        return decisions_in(values), comments_in(values)

    async def moves_by_process(self, process_ids: Sequence[str]) -> dict[str, list[Move]]:
        """The moves of publications: process id → its moves, oldest first."""
        found = await self._variables(plausible(process_ids), {"variableNameLike": f"{MOVE_PREFIX}%"})
        return {process_id: moves_in(values) for process_id, values in found.items()}

    async def _variables(
        self, process_ids: Sequence[str], query: Mapping[str, object], *, page: int = PAGE
    ) -> dict[str, dict[str, Scalar]]:
        if not process_ids:
            return {}
        grouped: dict[str, dict[str, Scalar]] = {process_id: {} for process_id in process_ids}
        keys, offset = self.own.process_keys, 0
        while True:
            params: Params = {"deserializeValues": "false", "maxResults": page, "firstResult": offset}
            body = {**query, "processInstanceIdIn": list(process_ids), "sorting": _BY_INSTANCE_AND_NAME}
            response = await self.engine.call(
                "POST", "/history/variable-instance", body=body, idempotent=True, params=params
            )
            rows = self.engine.decode(response, list[_HistoricVariable])
            for row in rows:
                if row.process_definition_key in keys:
                    grouped[row.process_instance_id][row.name] = row.value
            if len(rows) < page:
                return grouped
            offset += page

    async def external_tasks_by_process(self, process_ids: Sequence[str]) -> dict[str, list[ExternalTask]]:
        """What each running process of our models waits for from us.

        By the rows' own key: older engines (7.20 and 7.22 were seen) ignore the condition for it.
        """
        asked = plausible(process_ids)
        if not asked:
            return {}
        grouped: dict[str, list[ExternalTask]] = {process_id: [] for process_id in asked}
        body = {"processInstanceIdIn": asked}
        response = await self.engine.call(
            "POST", "/external-task", body=body, params={"maxResults": PAGE}, idempotent=True
        )
        for waiting in self.engine.decode(response, list[ExternalTask]):
            if waiting.process_definition_key in self.own.process_keys:
                grouped[waiting.process_instance_id].append(waiting)
        return grouped

    async def timers_by_process(self, process_ids: Sequence[str]) -> dict[str, datetime]:
        """When the next timer of each running process is due, where it has one."""
        asked = plausible(process_ids)
        if not asked:
            return {}
        query = {
            "processInstanceIds": asked,
            "timers": True,
            "sorting": [{"sortBy": "jobDueDate", "sortOrder": "desc"}, {"sortBy": "jobId", "sortOrder": "asc"}],
        }
        response = await self.engine.call("POST", "/job", body=query, params={"maxResults": PAGE}, idempotent=True)
        return {timer.process_instance_id: timer.due_date for timer in self.engine.decode(response, list[_Timer])}

    # Writing: processes and messages

    async def start(self, key: str, business_key: str, variables: Variables) -> str:
        """Start the approval of a draft by one of our process definitions; the id of the new process instance."""
        body = {"businessKey": business_key, "variables": typed({**variables, **self._source()})}
        path = f"/process-definition/key/{quote(key, safe='')}/start"
        response = await self.engine.call("POST", path, answers=(200, 404, 500), body=body)
        if response.status_code != 200:
            raise _not_started(key, response)
        return self.engine.decode(response, _Identified).id

    async def label(self, process_id: str) -> None:
        """Note on a process that is ours, but does not say so, whose it is. Raises Gone when it does not run."""
        await self.note(process_id, self._source())

    async def note(self, process_id: str, variables: Variables) -> None:
        """Set variables of a running process. Raises Gone when it does not run (any longer)."""
        for name, body in typed(variables).items():
            await self._write(f"/process-instance/{process_id}/variables/{name}", body, method="PUT", idempotent=True)

    def _source(self) -> dict[str, Scalar]:
        return written(draft_source=self.own.draft_source)

    async def withdraw(self, process_id: str, variables: Variables) -> None:
        """Send the withdrawal message to one instance. Raises Gone when it does not wait for it (any longer)."""
        await self._correlate(WITHDRAW_MESSAGE, process_id, variables)

    async def reschedule(self, process_id: str, variables: Variables) -> None:
        """Send the message that moves a publication to one instance. Raises Gone when it does not wait for it.

        The variables and the timer they move are one transaction of the engine, and so is the timer going off.
        """
        await self._correlate(RESCHEDULE_MESSAGE, process_id, variables)

    async def _correlate(self, message: str, process_id: str, variables: Variables) -> None:
        body = {"messageName": message, "processInstanceId": process_id, "processVariables": typed(variables)}
        await self._write("/message", body)

    # Writing: user tasks

    async def claim(self, task_id: str, user_id: str) -> None:
        """Take a task. Raises Gone when it is completed or already another's; the same user may claim again."""
        await self._write(f"/task/{task_id}/claim", {"userId": user_id}, idempotent=True)

    async def assign(self, task_id: str, user_id: str | None) -> None:
        """Hand a task over, or back to its groups with None, whoever has it. Raises Gone when it is completed."""
        if user_id is None:
            await self._write(f"/task/{task_id}/unclaim", None)
        else:
            await self._write(f"/task/{task_id}/assignee", {"userId": user_id})

    async def update(self, task: Task, *, due: datetime | None, follow_up: datetime | None, priority: int) -> None:
        """Set the dates and the priority of an open task. Raises Gone when it is completed.

        The engine takes all attributes of a task together, so the others are read right before: an assignment in
        between is lost.
        """
        asked = await self.engine.call("GET", f"/task/{task.id}", answers=(200, 404), idempotent=True)
        if asked.status_code == 404:
            raise Gone("camunda", words_of(asked), status=404)
        now = self.engine.decode(asked, dict[str, Any])
        dates = {"due": due and instant(due), "followUp": follow_up and instant(follow_up)}
        attributes = {name: now.get(name) for name in _ATTRIBUTES}
        await self._write(
            f"/task/{task.id}", {**attributes, **dates, "priority": priority}, method="PUT", idempotent=True
        )

    async def complete(self, task_id: str, variables: Variables) -> None:
        """Complete a task, whoever has it. Raises Gone when it is completed already or somebody was faster."""
        await self._write(f"/task/{task_id}/complete", {"variables": typed(variables)})

    # Writing: external tasks

    async def fetch_and_lock(
        self,
        worker_id: str,
        *,
        topics: Iterable[str] = TOPICS,
        limit: int,
        lock_seconds: float,
        business_key: str | None = None,
    ) -> list[LockedTask]:
        """Lock what waits on these topics in our processes (of one draft, if named) and has tries left."""
        topic: dict[str, object] = {
            "lockDuration": int(lock_seconds * 1000),
            "deserializeValues": False,
        }
        if business_key is not None:
            topic["businessKey"] = business_key
        body = {
            "workerId": worker_id,
            "maxTasks": limit,
            "topics": [{**self.own.topic(name), **topic} for name in topics],
        }
        response = await self.engine.call("POST", "/external-task/fetchAndLock", body=body)
        return self.engine.decode(response, list[LockedTask])

    async def complete_external(self, task: LockedTask, variables: Variables) -> None:
        """Complete an external task. Raises Gone when the lock or the task is lost."""
        await self._write(
            f"/external-task/{task.id}/complete",
            {"workerId": task.worker_id, "variables": typed(variables)},
            idempotent=True,
        )

    async def raise_bpmn_error(self, task: LockedTask, code: str, message: str, variables: Variables) -> None:
        """Leave by the boundary event of this error code. Raises Gone when the lock or the task is lost."""
        body = {
            "workerId": task.worker_id,
            "errorCode": code,
            "errorMessage": message,
            "variables": typed(variables),
        }
        await self._write(f"/external-task/{task.id}/bpmnError", body, idempotent=True)

    async def fail(self, task: LockedTask, message: str, *, retries: int, pause_seconds: float) -> None:
        """Report a failure; with 0 retries left it becomes an incident. Raises Gone when the lock is lost."""
        body = {
            "workerId": task.worker_id,
            "errorMessage": message[:600],
            "errorDetails": message,
            "retries": retries,
            "retryTimeout": int(pause_seconds * 1000),
        }
        await self._write(f"/external-task/{task.id}/failure", body, idempotent=True)

    async def lock(self, task: ExternalTask, worker_id: str, *, lock_seconds: float) -> LockedTask:
        """Lock this very task, one that gave up as well. Raises Gone when another has it locked, or it is not there."""
        body = {"workerId": worker_id, "lockDuration": int(lock_seconds * 1000)}
        await self._write(f"/external-task/{task.id}/lock", body, idempotent=True)
        return LockedTask(task.id, task.topic_name, task.process_instance_id, worker_id)

    async def locked_by(self, worker_id: str) -> list[ExternalTask]:
        """What this worker has locked at present."""
        body = {"workerId": worker_id, "locked": True}
        response = await self.engine.call(
            "POST", "/external-task", body=body, params={"maxResults": PAGE}, idempotent=True
        )
        return self.engine.decode(response, list[ExternalTask])

    async def unlock(self, task: LockedTask | ExternalTask) -> None:
        """Release a lock, so that another worker need not wait until it expires."""
        await self._write(f"/external-task/{task.id}/unlock", None)

    async def retry_external(self, external_task_id: str, retries: int) -> None:
        """Let a task that gave up be tried again at once; its incident is resolved. Raises Gone when it is not there.

        The lock of the try that gave up would hold it back until its end, so it is taken away.
        """
        await self._write(f"/external-task/{external_task_id}/retries", {"retries": retries}, method="PUT")
        await self._write(f"/external-task/{external_task_id}/unlock", None)

    async def _write(self, path: str, body: object, *, method: str = "POST", idempotent: bool = False) -> None:
        """`idempotent`: a repeat of it changes nothing, or is refused as what has happened."""
        response = await self.engine.call(
            method, path, answers=(200, 204, 400, 404, 500), body=body, idempotent=idempotent
        )
        if response.status_code < 400:
            return
        words = words_of(response)
        if SUSPENDED in words:
            words = "This approval is suspended in the engine; ask its operators to activate it, then try again"
            raise Declined("camunda", words, status=response.status_code)
        raise Gone("camunda", words, status=response.status_code)

    # Reading: the model and the engine itself

    async def version(self) -> str:
        """The engine's version; also the health check."""
        return self.engine.decode(await self.engine.call("GET", "/version", idempotent=True), _Version).version

    async def model(self, definition_id: str) -> str:
        """A deployed model's XML."""
        response = await self.engine.call("GET", f"/process-definition/{definition_id}/xml", idempotent=True)
        return self.engine.decode(response, _DefinitionXml).bpmn20_xml

    async def offers_by_definition(self, definition_ids: Sequence[str]) -> dict[str, dict[str, Offer]]:
        """For each process definition: step key → whom its tasks are offered to, as the model says. A request each."""
        asked = plausible(definition_ids)
        models = await asyncio.gather(*(self.model(definition_id) for definition_id in asked))
        return {definition_id: offers_in(model) for definition_id, model in zip(asked, models, strict=True)}


def words_of(response: httpx.Response) -> str:
    """The engine's own words about what it refuses."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.DecodeError:
        return f"camunda answered with status {response.status_code}"
    return problem.message or problem.type or f"camunda answered with status {response.status_code}"


def _not_started(key: str, response: httpx.Response) -> UpstreamFailed:
    """For people, with the engine's own words where there is no better one."""
    words = words_of(response)
    if SUSPENDED in words:
        words = f"The process {key} is suspended in the engine; ask its operators to activate it, then submit again"
    elif response.status_code == 404:
        words = f"The engine does not have the process {key}, or does not show it to this service; see plan-api check"
    return UpstreamFailed("camunda", words, status=response.status_code)


def _from_history(past: _PastTask) -> Task:
    return Task(
        id=past.id,
        name=past.name,
        task_definition_key=past.task_definition_key,
        process_instance_id=past.process_instance_id,
        process_definition_id=past.process_definition_id,
        assignee=past.assignee,
        priority=past.priority,
        created=past.start_time,
        due=past.due,
        follow_up=past.follow_up,
        ended=past.end_time,
        delete_reason=past.delete_reason,
    )
