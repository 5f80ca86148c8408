"""Unit tests of rules: files of inputs and expected states and messages, run by the machine and the rendering of the service."""
