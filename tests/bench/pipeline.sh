#!/bin/sh
# What an engineer types by hand for what `cofa glance` shows: containers, health, three
# queries, alerts, the newest backup. Everything is taken from the environment.
set -eu
docker compose -p "$PROJECT" ps >/dev/null
curl -fsS --cacert "$CA" --connect-to "::127.0.0.1:$HTTPS_PORT" "https://$DOMAIN/health" >/dev/null
for query in \
  'histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))' \
  'sum(rate(http_requests_total[5m]))' \
  'sum(rate(http_requests_total{status=~"5.."}[5m]))'; do
  curl -fsS -G --data-urlencode "query=$query" "$PROMETHEUS/api/v1/query" >/dev/null
done
curl -fsS "$PROMETHEUS/api/v1/alerts" >/dev/null
aws --endpoint-url "$S3" s3 ls "s3://$BUCKET/database/" | tail -1 >/dev/null
