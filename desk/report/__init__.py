"""The report: one HTML file with what a risk desk asks first. Pure drawing and text; `data` alone asks ClickHouse."""
