# One image for API, Celery worker and consumer: they differ in their command only.
FROM python:3.13-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    LAB_VAR=/var/lib/lab

WORKDIR /srv/lab
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

COPY . .
RUN pybabel --quiet compile --directory translations \
    && python -m compileall -q . \
    && useradd --system --no-create-home --uid 10001 lab \
    && install --directory --owner=lab --group=lab /var/lib/lab

USER lab
VOLUME /var/lib/lab
EXPOSE 8080
CMD ["sh", "-c", "python -m store.migrate && exec gunicorn -c api/gunicorn_conf.py api.wsgi:app"]
