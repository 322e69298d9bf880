"""Bugs in what reads: lists compiled, batches, what is asked and what is kept. Planted by __main__.py."""

from tests.planted.bug import ANY, Bug

COMPILED = "columnar"
PLANNING, RUNNING, VALUES = (f"{COMPILED}/{module}.py" for module in ("plan", "execution", "leaf_values"))
EXECUTOR, KEEPING, WALK = (f"{COMPILED}/{module}.py" for module in ("executor", "shape_cache", "document_walk"))
BATCHING, DOCUMENTS = "columnar/batch_loader.py", "graphql_server/documents/document.py"
READS = "graphql_server/documents/field_requirements.py"
COST = "graphql_server/documents/answer_cost.py"
CAMUNDA, AIDBOX, TASK = "api/upstreams/camunda/client.py", "api/upstreams/aidbox/client.py", "api/schema/task.py"
KEPT = "fhir_client/version_cache.py"
FHIR = "fhir_client/server.py"

EQUAL = "tests/columnar/test_compiled.py tests/columnar/test_shape_cache.py tests/columnar/test_equal.py"
WIDELY = "tests/columnar tests/unit tests/calls tests/http tests/stories/test_reading.py"


def _bugs(tests: str, *bugs: tuple[str, str, str, str]) -> tuple[Bug, ...]:
    """Each met by all of `tests` first."""
    return tuple(Bug(*bug, ANY, tests, WIDELY) for bug in bugs)


BUGS = (
    *_bugs(
        EQUAL,
        (
            "a shape for other values of its variables",
            KEEPING,
            "return tuple(values.get(name, Undefined) for name in self._names[place][1])",
            "return ()",
        ),
        (
            "variables in fragments are not seen",
            KEEPING,
            "definitions = {name: each.definition for name, each in fragments.items()}",
            "definitions = {name: each.definition for name, each in fragments.items() if not name}",
        ),
        (
            "a shape for another selection",
            KEEPING,
            "place = (id(kind), *(id(each.node) for each in details))",
            "place = (id(kind), id(details[0].node))",
        ),
        ("a null where none may be", RUNNING, "        if not shape.nullable:\n            raise Unusual\n", ""),
        ("the path of another row", RUNNING, "lambda n: path_of(places[n]))", "lambda n: path_of(n))"),
        ("a field selected twice", PLANNING, "nodes = [each.node for each in details]", "nodes = [details[0].node]"),
        (
            "a number that is none",
            VALUES,
            "if types <= {float} and all(map(math.isfinite, values)):",
            "if types <= {float}:",
        ),
        ("a boolean for a number", VALUES, "if (types == {int} and", "if (types <= {int, bool} and"),
        (
            "a number out of range",
            VALUES,
            "min(values) >= GRAPHQL_MIN_INT and max(values) <= GRAPHQL_MAX_INT",
            "min(values) >= GRAPHQL_MIN_INT",
        ),
        (
            "an exception for an object",
            RUNNING,
            'if any(hasattr(each, "__await__") or issubclass(each, BaseException) for each in types):',
            'if any(hasattr(each, "__await__") for each in types):',
        ),
        (
            "the first row's info for all",
            RUNNING,
            "yield call(each, **{info_name: RowInfo(shared, n)})",
            "yield call(each, **{info_name: RowInfo(shared, 0)})",
        ),
        (
            "what a mutation answers is compiled",
            PLANNING,
            "if executor.operation.operation is not OperationType.QUERY or definition.resolve is None:",
            "if definition.resolve is None:",
        ),
        (
            "an error ends a list",
            EXECUTOR,
            "            again = stock()\n            return await again if isinstance(again, Awaitable) else again\n",
            "            return []\n",
        ),
        (
            "lists in a list one too short",
            RUNNING,
            "return [[next(completed) for _ in value] for value in values]",
            "return [[next(completed) for _ in value[:3]] for value in values]",
        ),
        (
            "a field that has its own way to its value",
            PLANNING,
            "if definition is None or type(field) is not StrawberryField or any(map(_is_streamed, details)):",
            "if definition is None or field is None or any(map(_is_streamed, details)):",
        ),
    ),
    *_bugs(
        "tests/unit/test_batch_loader.py tests/columnar tests/calls/test_counts.py",
        (
            "keys that are none shift the others",
            "columnar/batched_field.py",
            "return [None if key is None else next(found) for key in keys]",
            "return [next(found, None) for key in keys]",
        ),
        (
            "a key is asked for each time",
            BATCHING,
            "batches = [cached.get(key) or self._added(key) for key in wanted]",
            "batches = [self._added(key) for key in wanted]",
        ),
        (
            "batches without an end",
            BATCHING,
            "        if len(batch.keys) == self._largest:\n            self._open = None\n",
            "",
        ),
        (
            "a batch that is asked stays open",
            BATCHING,
            "        if self._open is batch:\n            self._open = None\n",
            "",
        ),
        (
            "who is cancelled cancels the batch",
            BATCHING,
            "                if self.is_over or (task is not None and task.cancelling()):\n                    raise\n",
            "                raise\n",
        ),
        (
            "a batch that failed waits for ever",
            BATCHING,
            "            done.set_exception(error)\n",
            "            pass\n",
        ),
        (
            "what is known is asked",
            BATCHING,
            "self._batches.setdefault(key, batch)",
            "self._batches.setdefault(key, Batch())",
        ),
    ),
    *_bugs(
        "tests/unit/test_requires.py tests/calls",
        (
            "all variables for any field",
            "api/requirements.py",
            " if self.has(PROCESS_VARIABLES, name)) or VARIABLES",
            ") or VARIABLES",
        ),
        (
            "what a fragment reads is not seen",
            WALK,
            "return self.fragment(node, self._spread(self.fragments[name], place) if is_known else self.total(()))",
            "return self.fragment(node, self.total(()))",
        ),
        (
            "what is skipped is read",
            WALK,
            'return conditions.get("skip") is True or conditions.get("include") is False',
            "return False",
        ),
        (
            "a variable's value of another request",
            WALK,
            "                self.were_read = True\n",
            "",
        ),
        (
            "a default does not count",
            WALK,
            "                return self.value(default)\n",
            "                return None\n",
        ),
        (
            "a field that says nothing reads nothing",
            READS,
            "            return _FOUND_ALL\n",
            "            return _FOUND_NOTHING\n",
        ),
        (
            "plans are read whole",
            "api/loaders.py",
            'partial(own.aidbox.plans_by_id, with_document=own.requirements.has("plans", RESOURCE))',
            "partial(own.aidbox.plans_by_id, with_document=True)",
        ),
        (
            "drafts are read whole",
            "api/loaders.py",
            'parts=own.requirements.of_draft("drafts")',
            'parts=own.requirements.of_draft("nothing")',
        ),
        (
            "drafts that are in their tasks' processes are asked about as others are",
            TASK,
            "if record and not _is_in(task, record)]",
            "if record]",
        ),
        (
            "the count with every page",
            "api/schema/lists.py",
            "        records = await engine.tasks(self.query, limit",
            "        await engine.task_count(self.query)\n        records = await engine.tasks(self.query, limit",
        ),
        (
            "a page is asked for though it is empty",
            "api/schema/lists.py",
            "        if self.query is None or self.limit == 0:\n            return []\n        engine",
            "        if self.query is None:\n            return []\n        engine",
        ),
        ("a page of variables is the last", CAMUNDA, "page=max(PAGE, len(asked) * len(names) + 1)", "page=len(asked)"),
        (
            "one search for each plan",
            AIDBOX,
            "for chunk in chunks(wanted)))\n        return {plan.id",
            "for chunk in ([each] for each in wanted)))\n        return {plan.id",
        ),
        ("a page that was cut is the whole", AIDBOX, "        if missing and may_be_cut:\n", "        if False:\n"),
        (
            "what is missing is always asked for again",
            AIDBOX,
            "        if missing and may_be_cut:\n",
            "        if missing:\n",
        ),
        (
            "an old page of the store's",
            AIDBOX,
            'found = await self._searched(plan_ids, "no-store", with_document=with_document)',
            'found = await self._searched(plan_ids, "max-age=60", with_document=with_document)',
        ),
        (
            "only the first page of a search",
            FHIR,
            "            if following is None:\n                return found\n",
            "            return found\n",
        ),
    ),
    *_bugs(
        "tests/unit/test_version_cache.py tests/calls/test_version_cache.py",
        (
            "a version without its resource is kept for one with it",
            KEPT,
            "if version and (version.document is not None or not with_document)\n",
            "if version\n",
        ),
        (
            "versions are asked for each time",
            KEPT,
            "            self._versions[key] = copied\n",
            "            pass\n",
        ),
        ("a version takes no room", KEPT, "LRUCache(size, getsizeof=_size)", "LRUCache(size)"),
        ("one version may take all room", KEPT, "<= self._versions.maxsize // 10", "<= self._versions.maxsize"),
        (
            "a kept version keeps its whole answer",
            KEPT,
            "document = version.document and version.document.copy()",
            "document = version.document",
        ),
    ),
    *_bugs(
        "tests/http tests/columnar/test_shape_cache.py tests/unit/test_weighted_semaphore.py tests/unit/test_schema.py",
        (
            "the cost of other variables",
            DOCUMENTS,
            "self._keep_cost(with_variables if values.were_read else alone, cost)",
            "self._keep_cost(alone, cost)",
        ),
        (
            "needs of other variables",
            DOCUMENTS,
            "        if not values.were_read:\n            self._requirements",
            "        if True:\n            self._requirements",
        ),
        (
            "a mutation is given up when its client leaves",
            "graphql_server/documents/preparation.py",
            "is_query = context.operation_type is OperationType.QUERY",
            "is_query = True",
        ),
        (
            "a query goes on when its client leaves",
            "graphql_server/http/disconnect.py",
            "        if context.may_be_given_up:\n",
            "        if False:\n",
        ),
        (
            "an answer has the tag of another media type",
            "graphql_server/http/conditional_get.py",
            'hashlib.blake2b(answer.headers["Content-Type"].encode(), digest_size=16)',
            "hashlib.blake2b(digest_size=16)",
        ),
        (
            "any condition is met",
            "graphql_server/http/conditional_get.py",
            'return condition.strip() == "*" or entity_tag in _ENTITY_TAG.findall(condition)',
            "return bool(condition)",
        ),
        (
            "a shared cache may keep an answer",
            "graphql_server/http/conditional_get.py",
            '"private, no-cache"',
            '"public, no-cache"',
        ),
        (
            "slots are not released",
            "graphql_server/admission/weighted_semaphore.py",
            "        finally:\n            self._release(caller, size)\n",
            "        finally:\n            pass\n",
        ),
        (
            "who was granted slots and left keeps them",
            "graphql_server/admission/weighted_semaphore.py",
            "if not turn.cancelled():",
            "if False:",
        ),
        (
            "slots released that were never granted",
            "graphql_server/admission/weighted_semaphore.py",
            "if not turn.cancelled():",
            "if True:",
        ),
        (
            "a list costs what one of it costs",
            COST,
            "return Cost(1 + length * inside.fixed)",
            "return Cost(1 + inside.fixed)",
        ),
        (
            "a page costs what is asked, not what can come",
            COST,
            "limit = min(max(int(value), 0), limit)",
            "limit = 1",
        ),
        (
            "a list of entities counts once",
            COST,
            "return len(value) if isinstance(value, list) else 1",
            "return 1",
        ),
    ),
)
