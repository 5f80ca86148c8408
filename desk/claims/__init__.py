"""The claims of the founding article, each with a measure that the data can check, or the reason why none can."""
