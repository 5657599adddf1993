#!/bin/sh
# Writes the secrets of the environment to files, imports the assets that the service `assets` wrote, and serves.
set -eu
umask 077
printf %s "$SUPERSET_SECRET_KEY" >"$SUPERSET_FOLDER/secret.key"
printf %s "$SUPERSET_PASSWORD" >"$SUPERSET_FOLDER/admin.password"
unset SUPERSET_SECRET_KEY SUPERSET_PASSWORD
python /opt/superset/provision.py /assets/superset.zip "$SUPERSET_FOLDER/admin.password" </dev/null
exec python -m gunicorn --bind 0.0.0.0:8088 --workers 2 --timeout 330 --no-control-socket "superset.app:create_app()"
