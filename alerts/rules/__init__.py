"""The types of alert rule, one a file; `registry` lists them. Pure: values in, values out."""
