"""The fold of releases and what each release says. Pure."""
