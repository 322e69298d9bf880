# The service alone: the locked production packages, api/ and the libraries it stands on, doctor and migration, and the process.
#   docker build -t plan-api .
# A base image with its digest (PYTHON_IMAGE=python:3.13-slim-trixie@sha256:…) makes a build repeatable to the byte.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
COPY requirements.production.lock ./
# Wheels only, each with a hash of the lock: nothing is compiled here, so no compiler is needed here either.
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: --requirement requirements.production.lock
COPY api ./api
COPY authentication ./authentication
COPY columnar ./columnar
COPY doctor ./doctor
COPY fhir_answers ./fhir_answers
COPY fhir_client ./fhir_client
COPY graphql_server ./graphql_server
COPY migration ./migration
COPY notifications ./notifications
COPY plandiff ./plandiff
COPY process_models ./process_models
COPY resilience ./resilience
COPY setting_types ./setting_types
COPY webhooks ./webhooks
COPY bpmn ./bpmn
# The container's file system is read-only: what is not compiled now would be compiled at each start.
RUN python -m compileall -q --invalidation-mode unchecked-hash \
        api authentication columnar doctor fhir_answers fhir_client graphql_server migration notifications plandiff \
        process_models resilience setting_types webhooks

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="plan-api" \
    org.opencontainers.image.description="The thin approval API between Retool, Camunda 7 and Aidbox"
# HOST: a container is reached from outside. AUTH=headers refuses that address, so it can not be left on by mistake.
ENV PATH="/opt/venv/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app/api ./api
COPY --from=build /app/authentication ./authentication
COPY --from=build /app/columnar ./columnar
COPY --from=build /app/doctor ./doctor
COPY --from=build /app/fhir_answers ./fhir_answers
COPY --from=build /app/fhir_client ./fhir_client
COPY --from=build /app/graphql_server ./graphql_server
COPY --from=build /app/migration ./migration
COPY --from=build /app/notifications ./notifications
COPY --from=build /app/plandiff ./plandiff
COPY --from=build /app/process_models ./process_models
COPY --from=build /app/resilience ./resilience
COPY --from=build /app/setting_types ./setting_types
COPY --from=build /app/webhooks ./webhooks
COPY --from=build /app/bpmn ./bpmn
# A number, so that an orchestrator can see that it is not root; all files above are root's.
USER 10001:10001
EXPOSE 8000
# Not by urllib, which would ask a proxy of the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, sys; from http.client import HTTPConnection; asked = HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); asked.request('GET', '/live'); sys.exit(asked.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m", "api"]
CMD ["serve"]
