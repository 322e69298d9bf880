"""Bugs in what writes: the verbs, the external tasks, the conditions of each write. Planted by __main__.py."""

from tests.planted.bug import STORIES, Bug

RETOOL, AIDBOX = "api/upstreams/retool.py", "api/upstreams/aidbox.py"
PUBLISH, TASKS = "api/coordination/publish.py", "api/coordination/external_tasks.py"
SUBMIT, DECIDE, WITHDRAW = (f"api/coordination/{verb}.py" for verb in ("submit", "decide", "withdraw"))
OF_REGISTER = "lower({status}::text) IS DISTINCT FROM 'submitted' AND {process}::text IS NOT DISTINCT FROM %s"
OF_CONCLUDE = "lower({status}::text) = 'submitted' AND {process}::text IS NOT DISTINCT FROM %s"
ANYTHING = "coalesce(%s::text, '') IS NOT NULL"

BUGS = (
    Bug(
        "registration of a draft that is submitted already",
        RETOOL,
        OF_REGISTER,
        "{process}::text IS NOT DISTINCT FROM %s",
        "without_a_process",
        STORIES,
    ),
    Bug(
        "registration whatever process the draft had before",
        RETOOL,
        OF_REGISTER,
        f"lower({{status}}::text) IS DISTINCT FROM 'submitted' AND {ANYTHING}",
        "earlier_state",
        STORIES,
    ),
    Bug(
        "registration of a draft that was changed",
        RETOOL,
        "{revision} = coalesce(%s, {revision})",
        ANYTHING,
        "edited_while",
        STORIES,
    ),
    Bug(
        "an outcome for a draft that does not wait",
        RETOOL,
        OF_CONCLUDE,
        "{process}::text IS NOT DISTINCT FROM %s",
        "gone_on",
        STORIES,
    ),
    Bug(
        "an outcome for a draft of another process",
        RETOOL,
        OF_CONCLUDE,
        f"lower({{status}}::text) = 'submitted' AND {ANYTHING}",
        "gone_on",
        STORIES,
    ),
    Bug(
        "a broken statement is not sent again",
        RETOOL,
        "return await sent_again(send, failure, tries=self.tries, seconds=left(seconds))",
        "raise",
        "asked_again and withdraw",
    ),
    Bug(
        "no If-Match",
        AIDBOX,
        """{"If-Match": f'W/"{base_version or NO_VERSION}"'}""",
        "{}",
        "(conflict and at and publication)",
    ),
    Bug(
        "the tag is forgotten",
        "api/coordination/documents.py",
        """[*others, {"system": PROCESS_TAG, "code": process_id}]""",
        "others",
        "(approve and edit)",
    ),
    Bug(
        "an own write is not looked for",
        PUBLISH,
        "if current is None or current.version_id == base_version:",
        "if current is None or current is not None:",
        "(approve and edit)",
    ),
    Bug(
        "the newest version with the tag is taken for ours",
        PUBLISH,
        "reversed(history)",
        "iter(history)",
        "known_again",
        STORIES,
    ),
    Bug(
        "a plan that says so already is written again",
        PUBLISH,
        "if current is not None and documents.is_held(",
        "if current is not None and draft is None and documents.is_held(",
        "same or already or twice",
        STORIES,
    ),
    Bug(
        "what has moved is published",
        PUBLISH,
        "if moved := conflict(draft, current, values):",
        "if (moved := conflict(draft, current, values)) and draft is None:",
        "(conflict and before and publication)",
    ),
    Bug(
        "an approval does not look whether anything moved",
        DECIDE,
        "moved = conflict(draft, plan, {**variables, **noted})",
        "moved = None",
        "(conflict and at and once)",
    ),
    Bug(
        "writes that meet are not tried again",
        PUBLISH,
        "WRITES_THAT_MAY_MEET = 4",
        "WRITES_THAT_MAY_MEET = 1",
        "(conflict and at and publication)",
    ),
    Bug(
        "the task is completed before the plan is written",
        PUBLISH,
        "    report = await publish_reviewed(",
        """    await upstreams.camunda.complete_external(task, {"approvalOutcome": "approved"})
    report = await publish_reviewed(""",
        "(approve and new and plan)",
    ),
    Bug(
        "the draft is marked before the plan is written",
        PUBLISH,
        "                published = await _write(",
        """                await upstreams.retool.mark_published(draft_id, process_id, plan_id)
                published = await _write(""",
        "retry or (conflict and publication)",
    ),
    Bug(
        "the draft is not marked",
        PUBLISH,
        "        await upstreams.retool.mark_published(draft_id, process_id, plan_id)\n",
        "",
        "undisturbed",
    ),
    Bug(
        "an own registration is not known again",
        TASKS,
        "if not noted and not (draft and draft.camunda_process_id == task.process_instance_id and draft.is_submitted):",
        "if not noted:",
        "(submit and new and plan)",
    ),
    Bug(
        "a failure that passes is an incident at once",
        TASKS,
        "return _postponed(settings, task, str(failure))",
        "return GaveUp(str(failure))",
        "(approve and new and plan)",
    ),
    Bug(
        "a task that another holds is not waited for",
        TASKS,
        "if all(task.has_failed for task in waiting):",
        "if waiting is not None:",
        "asked_again and (submit and new and plan)",
    ),
    Bug(
        "a running process is not adopted",
        SUBMIT,
        "adopt=attempt == 0",
        "adopt=False",
        "asked_again and (submit and new and plan)",
    ),
    Bug(
        "a registration is not carried out by who asks again",
        SUBMIT,
        "    await settle(upstreams, settings, draft.id, process_id)\n    return Submission",
        "    return Submission",
        "asked_again and (submit and new and plan)",
    ),
    Bug(
        "a registration is not carried out by who causes it",
        SUBMIT,
        "        await settle(upstreams, settings, draft.id, process_id)\n        now =",
        "        now =",
        "undisturbed",
    ),
    Bug(
        "the process before is not named",
        SUBMIT,
        '"previousProcessId": draft.camunda_process_id',
        '"previousProcessId": None',
        "undisturbed",
    ),
    Bug(
        "the base version is not noted",
        SUBMIT,
        '"baseVersion": base_version',
        '"baseVersion": None',
        "undisturbed or conflict",
    ),
    Bug(
        "the revision is not noted",
        SUBMIT,
        '"draftRevision": draft.revision',
        '"draftRevision": None',
        "edited_while or changed",
        STORIES,
    ),
    Bug(
        "a decision is not carried out",
        DECIDE,
        "    await settle(upstreams, settings, draft_id, task.process_instance_id)\n",
        "",
        "undisturbed",
    ),
    Bug(
        "an own decision is not known again",
        DECIDE,
        "if made is not None and same_person(made.by, viewer.id) and made.asked is asked:",
        "if made is not None and made.asked is not asked:",
        "asked_again and reject",
    ),
    Bug(
        "a lost answer to a completion is not looked into",
        DECIDE,
        "            past = await _unless_won(upstreams, viewer, task, decision)",
        "            raise\n            past = await _unless_won(upstreams, viewer, task, decision)",
        "asked_again and reject",
    ),
    Bug(
        "a task is completed without being claimed",
        DECIDE,
        "if task.assignee is None:",
        "if task.assignee == viewer.id:",
        "left_to_a_worker and reject",
    ),
    Bug(
        "a withdrawal that was noted is not told to its process",
        WITHDRAW,
        '    elif draft.status == "withdrawn":\n        await settle(upstreams, settings, draft.id, process_id)\n',
        "",
        "asked_again and withdraw",
    ),
    Bug(
        "a withdrawal is not carried out",
        WITHDRAW,
        """draft, process_id)
    await settle(upstreams, settings, draft.id, process_id)


async def _send_again""",
        """draft, process_id)


async def _send_again""",
        "undisturbed",
    ),
    Bug(
        "a withdrawal does not finish the registration first",
        WITHDRAW,
        "        await settle(upstreams, settings, draft.id, process_id)\n        await _send_again",
        "        await _send_again",
        "not_reported_yet",
        STORIES,
    ),
    Bug(
        "a draft whose process runs is released",
        "api/coordination/reconcile.py",
        "if not draft.is_submitted or (process is not None and process.is_active):",
        "if not draft.is_submitted:",
        "undisturbed",
    ),
    Bug(
        "a sweep ends drafts whose process runs",
        "api/coordination/reconcile.py",
        "if each.process_id in known and not known[each.process_id].is_active]",
        "if each.process_id in known]",
        "sweep",
        "tests/crash",
    ),
    Bug(
        "a sweep forgets where it was",
        "api/coordination/reconcile.py",
        "waiting = await upstreams.retool.submitted(after_id, limit=DRAFTS_LOOKED_AT)",
        "waiting = await upstreams.retool.submitted(None, limit=10)",
        "sweep",
        "tests/crash",
    ),
    Bug(
        "a new plan is written over what is there",
        AIDBOX,
        "if base_version is None and response.status_code in STALE and await self.plan(plan_id) is None:",
        "if base_version is None and response.status_code in STALE:",
        "new or taken or outside",
        "tests/races",
    ),
    Bug(
        "a new plan gets another id each time",
        "api/coordination/documents.py",
        "return str(uuid.UUID(draft_id))",
        "return str(uuid.uuid4())",
        "undisturbed",
    ),
)
