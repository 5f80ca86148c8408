"""The pure fold of releases and what each release says."""
