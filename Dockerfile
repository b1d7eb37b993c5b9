# syntax=docker/dockerfile:1
# Two images from one file:
#   docker build --target serving -t artificer-serving .    serves a champion; no learner in it
#   docker build --target whole -t artificer .              trains, watches and serves: artificer run
ARG PYTHON=3.12-slim-bookworm

FROM python:${PYTHON} AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PATH=/opt/artificer/bin:$PATH

FROM base AS package
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM base AS serving-environment
RUN python -m venv /opt/artificer
COPY requirements.lock deploy/serving.txt deploy/subset.py /tmp/
# The versions of the lock, each checked against its hash, of the few packages that serving needs.
RUN python /tmp/subset.py /tmp/requirements.lock /tmp/serving.txt > /tmp/serving.lock \
    && pip --python /opt/artificer install --no-cache-dir --require-hashes -r /tmp/serving.lock
COPY --from=package /wheels /wheels
RUN pip --python /opt/artificer install --no-cache-dir --no-deps /wheels/*.whl

FROM base AS whole-environment
RUN python -m venv /opt/artificer
COPY requirements.lock /tmp/
RUN pip --python /opt/artificer install --no-cache-dir --require-hashes -r /tmp/requirements.lock
COPY --from=package /wheels /wheels
RUN pip --python /opt/artificer install --no-cache-dir --no-deps /wheels/*.whl

FROM base AS runtime
RUN groupadd --gid 10001 artificer \
    && useradd --uid 10001 --gid 10001 --home-dir /project --no-create-home --shell /usr/sbin/nologin artificer \
    && mkdir /project && chown 10001:10001 /project
WORKDIR /project
VOLUME /project
USER 10001:10001
EXPOSE 8400
# SIGTERM lets requests that are under way end, see docs/deploy.md.
STOPSIGNAL SIGTERM

FROM runtime AS whole
# LightGBM and XGBoost run their threads on OpenMP.
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
USER 10001:10001
COPY --from=whole-environment /opt/artificer /opt/artificer
ENTRYPOINT ["artificer"]
CMD ["run", "--project", "/project"]

FROM runtime AS serving
COPY --from=serving-environment /opt/artificer /opt/artificer
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8400/health/live', timeout=2)"]
ENTRYPOINT ["python", "-m", "artificer.server"]
CMD ["--pointer", "/project/.artificer/champion.json", "--journal", "/project/.artificer/journal.sqlite", "--tokens", "/project/.artificer/tokens.json", "--host", "0.0.0.0", "--port", "8400"]
