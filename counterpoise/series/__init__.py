"""The market series: what each measures and how it is read (catalogue), and the release that is its fact. Pure."""
