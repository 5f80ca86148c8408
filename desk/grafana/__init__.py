"""Grafana dashboards as code: values here, JSON in deploy/grafana/dashboards, written by `make generate`."""
