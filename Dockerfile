# All services, every command and all market sources, without the embedded engines.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python -m venv /opt/counterpoise
COPY pyproject.toml README.md LICENSE ./
COPY counterpoise counterpoise
COPY desk desk
COPY engines engines
COPY ingest ingest
COPY streams streams
COPY alerts alerts
COPY sql sql
RUN /opt/counterpoise/bin/pip install --no-cache-dir '.[market]'

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/counterpoise /opt/counterpoise
RUN useradd --system --uid 10001 --no-create-home counterpoise \
 && install -d -o counterpoise -g counterpoise /var/lib/counterpoise
ENV PATH=/opt/counterpoise/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    COUNTERPOISE_STATE_DIR=/var/lib/counterpoise
USER 10001
WORKDIR /var/lib/counterpoise
ENTRYPOINT ["counterpoise"]
CMD ["--help"]
